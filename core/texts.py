"""Text that strangers wrote, made fit to be shown, logged, sent and stored.

A name, a narrative or an id that came from outside may hold terminal escapes, bidirectional controls or five thousand
characters. It is cleaned once, where it enters; what a provider sent is kept whole and sealed beside it.
"""

import re
import unicodedata
from typing import Final

# A terminal's escape sequences: CSI, OSC (ended by BEL or ST) and the two-character ones; in C1 spelling too.
_ESCAPES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]?|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?|\x1b[@-Z\\-_]?"
)
_BLANKS: Final = re.compile(r"\s+")


def clean(text: str, limit: int) -> str:
    """One line of at most `limit` characters: escapes, controls, invisible formatting (bidirectional marks, zero-width
    characters, unpaired surrogates) gone, runs of blanks one blank."""
    bounded = text[: limit * 8 + 4096]  # what is cut off here could not have been shown anyway
    plain = _BLANKS.sub(" ", _ESCAPES.sub("", bounded))
    shown = "".join(char for char in plain if char == " " or not is_unseen(char))
    return _BLANKS.sub(" ", shown).strip()[:limit].rstrip()


def is_unseen(char: str) -> bool:
    """Whether a character steers, formats or hides instead of being read: line breaks too."""
    return unicodedata.category(char) in _UNSEEN


# Controls, formatting, surrogates, private use, unassigned, and the two separators that break lines.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
