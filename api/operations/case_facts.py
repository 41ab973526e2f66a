"""What tells one case from another at a glance: read from its evidence, whichever way it was opened."""

import re
from collections.abc import Mapping
from typing import Any, Final

from core.texts import clean

# The names under which evidence may hold each fact, the surest first.
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "amount": ("amount", "said"),
    "receipt": ("receipt", "receipts", "bank_reference", "reported_receipt", "recorded_receipt", "external_id"),
    "phone": ("phone", "payer", "to"),
    "account": ("account_no", "typed", "account", "narrative", "to"),
    "reference": ("reference", "provider_reference"),
}
_LONGEST: Final = 60
_AMOUNT: Final = re.compile(r"[A-Z]{3} ?-?[0-9][0-9,]*(\.[0-9]+)?")
_MASKED: Final = re.compile(r"\+?[0-9]{3,5}[•*]{2,}[0-9]{2,4}")
_OPEN: Final = re.compile(r"\+?([0-9]{3})[0-9]{5,9}([0-9]{3})")


def facts_of(evidence: Mapping[str, Any]) -> dict[str, str | None]:
    """`amount`, `receipt`, `phone` (masked), `account` and `reference`; None where the evidence has none."""
    found = {fact: _first(evidence, fact) for fact in NAMES}
    if found["account"] == found["phone"]:  # money that goes to a phone goes to no account
        found["account"] = None
    return found


def _first(evidence: Mapping[str, Any], fact: str) -> str | None:
    for name in NAMES[fact]:
        value = evidence.get(name) or ""
        text = clean(", ".join(map(str, value)) if isinstance(value, list) else str(value), _LONGEST)
        if text in ("", "-"):
            continue
        if fact == "phone":
            text = _masked(text)
        if text and (fact != "amount" or _AMOUNT.fullmatch(text)):
            return text
    return None


def _masked(text: str) -> str:
    """A phone number without its middle; "" for what is none."""
    if _MASKED.fullmatch(text):
        return text
    found = _OPEN.fullmatch(text)
    return f"{found.group(1)}•••••{found.group(2)}" if found else ""
