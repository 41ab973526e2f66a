"""Single facts of what strangers send, read alike for every provider: receipts, amounts, names, what a provider can carry.

A fact that is unfit never hides the money that it stands beside: it comes out as absent, or as text that can be shown.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from core.crypto import sha256_hex
from core.errors import InvalidRequest
from core.money import Money
from core.texts import clean

NAME_LENGTH: Final = 120
REFERENCE_LENGTH: Final = 100
ID_LENGTH: Final = 100
NARRATIVE_LENGTH: Final = 300
UNFIT_RECEIPT: Final = "unfit_receipt"

_RECEIPT: Final = re.compile(r"[\x21-\x7e]{6,40}")
_AMOUNT: Final = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?", re.ASCII)
_LONGEST_AMOUNT: Final = 60
# Letters that have no parts for Unicode to take away, and the signs that word processors put in for plain ones.
_PLAIN: Final = str.maketrans(
    {"ß": "ss", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe", "Ø": "O", "ø": "o", "Ð": "D", "ð": "d", "Đ": "D", "đ": "d",
     "Þ": "Th", "þ": "th", "Ł": "L", "ł": "l", "ı": "i", "Ħ": "H", "ħ": "h", "Ŋ": "N", "ŋ": "n", "‘": "'", "’": "'",
     "“": '"', "”": '"', "–": "-", "—": "-", "‐": "-", "‑": "-", "…": "..."}
)  # fmt: skip


def receipt_of(text: str, *, capitals: bool = False) -> str | None:
    """The receipt, or None for what is none: 6 to 40 visible ASCII characters without blanks. `capitals` for M-Pesa, whose
    receipts are the same in any case."""
    if not _RECEIPT.fullmatch(text):
        return None
    return text.upper() if capitals else text


def unfit_receipt(text: str) -> str:
    """What to tell a person of a receipt that is none."""
    return f"the receipt is not one that can be booked: {clean(text, 60) or 'nothing that can be shown'}"


def amount_of(text: str, currency: str, *, bounded: bool = True) -> Money | None:
    """An amount as a provider writes it: digits, a sign, a dot, commas between thousands. None for anything else, and for
    what would have to be rounded or is larger than any payment."""
    if len(text) > _LONGEST_AMOUNT or not _AMOUNT.fullmatch(text):
        return None
    try:
        return Money.parse(text.replace(",", ""), currency, signed=True, bounded=bounded)
    except InvalidRequest:
        return None


def carried(text: str, limit: int, allowed: re.Pattern[str], instead: str = "") -> str:
    """The text as a provider can carry it: one line, letters without their accents, every character that does not match
    `allowed` a blank, cut at `limit`. `instead` where nothing is left: a text never stops a payment."""
    plain = unicodedata.normalize("NFKD", clean(text, limit * 4).translate(_PLAIN))
    kept = "".join(char if allowed.fullmatch(char) else "" if unicodedata.combining(char) else " " for char in plain)
    return " ".join(kept.split())[:limit].rstrip() or instead


def row_id(row: Mapping[str, Any]) -> str:
    """The same for the same row whenever it is read again."""
    return sha256_hex(json.dumps(row, sort_keys=True, default=str))[:32]


# Letters, digits and the few signs that no gateway was seen to refuse; `& # @` in a text field were (daraja.md 4).
PLAIN_SIGNS: Final = re.compile(r"[A-Za-z0-9 .,/_-]")
