"""A reason as people read it: by its code, in their language, never by what a provider or an operator wrote."""

import re
from functools import lru_cache
from typing import Final

from notices.reason_words import WORDS

LANGUAGES: Final = ("en", "sw")
# What is said where a code has no sentence; a code that is a plain word or number helps whoever asks us about it.
_NEUTRAL: Final = {
    "en": ("It did not succeed.", "It did not succeed (code {code})."),
    "sw": ("Halikufanikiwa.", "Halikufanikiwa (msimbo {code})."),
}
_SHOWABLE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,23}")


def sentence(code: str, language: str, about: str = "") -> str:
    """`about` names what the code speaks of, "payout" or "prompt": a provider's number means another thing in each. Always a
    whole sentence of at most 90 characters."""
    known = code.strip().lower()
    words = _table(language)
    found = words.get(f"{about}:{known}") or words.get(known)
    if found:
        return found
    plain, with_code = _NEUTRAL[language]
    return with_code.format(code=known) if _SHOWABLE.fullmatch(known) else plain


def has_words(code: str, about: str = "") -> bool:
    known = code.lower()
    return any(name in _table(language) for language in LANGUAGES for name in (f"{about}:{known}", known))


@lru_cache
def _table(language: str) -> dict[str, str]:
    place = LANGUAGES.index(language) + 1
    return {code: row[place] for row in WORDS for code in row[0].split()}
