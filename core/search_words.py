"""What somebody typed to find a payment, read in every way that it may be meant; and the words of a name.

A text is one of many things, and is looked up as each that it can be: "0712345678" is a phone and may be the account that a
payer typed. Nothing here touches a database.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.msisdn import Msisdn

LONGEST: Final = 200  # characters of what may be searched for
_MOST_WORDS: Final = 6  # of one name; a longer one is found by its first words
_LONGEST_WORD: Final = 40
_BIGINT: Final = 2**63 - 1
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’`ʼ][^\W\d_]+)*")
_INSIDE: Final = re.compile(r"['’`ʼ]")
# Ours: a prefix of three letters and up to 26 characters; a few of them may be left out at the end.
_ID: Final = re.compile(r"([a-z]{3})_([0-9a-hjkmnp-tv-z]{6,26})")
_ID_LENGTH: Final = 26
_REFERENCE: Final = re.compile(r"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}-[a-z][0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One text in its readings. `spellings` are the text itself, in capitals and in small letters, each once.

    `ids` is a range of our ids (both ends in it) that begin as the text does, and `prefix` what stands before their
    underscore. `phones` are E.164; `name` are the words of a name, folded.
    """

    text: str
    spellings: tuple[str, ...]
    number: int | None
    prefix: str | None
    ids: tuple[str, str] | None
    phones: tuple[str, ...]
    name: tuple[str, ...]

    @property
    def is_whole_id(self) -> bool:
        """Whether the text is an id with nothing left out."""
        return self.ids is not None and self.ids[0] == self.ids[1]


def read(text: str, *, regions: Iterable[str] = ()) -> Wanted:
    """`text` is one line of at most LONGEST characters. `regions` (ISO 3166) say how a phone without its country may be
    meant."""
    plain = " ".join(text.split())
    prefix, ids = _ids(plain.lower())
    return Wanted(
        text=plain,
        spellings=tuple(dict.fromkeys((plain, plain.upper(), plain.lower()))),
        number=_number(plain),
        prefix=prefix,
        ids=ids,
        phones=tuple(dict.fromkeys(_phones(plain, regions))),
        name=() if any(char.isdigit() for char in plain) else name_words(plain),
    )


def name_words(name: str) -> tuple[str, ...]:
    """The words of a name without accents, capitals and apostrophes, each once and in the order of the alphabet, so that
    it does not matter which comes first. Single letters are left out; at most six are kept."""
    bare = "".join(
        char for char in unicodedata.normalize("NFKD", name[:LONGEST].casefold()) if not unicodedata.combining(char)
    )
    words = dict.fromkeys(_INSIDE.sub("", word)[:_LONGEST_WORD] for word in _WORD.findall(bare))
    return tuple(sorted([word for word in words if len(word) > 1][:_MOST_WORDS]))


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    value = int(text)
    return value if value <= _BIGINT else None


def _ids(text: str) -> tuple[str | None, tuple[str, str] | None]:
    if _REFERENCE.fullmatch(text):
        return text[:3], None
    found = _ID.fullmatch(text)
    if found is None:
        return None, None
    missing = _ID_LENGTH - len(found[2])
    return found[1], (text + "0" * missing, text + "z" * missing)


def _phones(text: str, regions: Iterable[str]) -> Iterable[str]:
    for region in (None, *regions):
        phone = Msisdn.read(text, region)
        if phone is not None:
            yield phone.e164
