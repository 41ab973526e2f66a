"""How single values of Daraja's bodies are read, whatever form they come in (daraja.md, fact 9 and 3.4, 7, 8). Pure."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.errors import Garbled, InvalidRequest
from core.money import Money
from core.msisdn import Msisdn
from core.texts import clean
from providers.daraja.fields import Fields, spelt, text_of
from providers.facts import ID_LENGTH, amount_of, receipt_of

NAIROBI: Final = ZoneInfo("Africa/Nairobi")

_LEADING_PHONE = re.compile(r"\+?([0-9]{9,15})(?![0-9A-Za-z_])", re.ASCII)
_CLEAR_PHONE = re.compile(r"(?:\+?254|0)?([17][0-9]{8})", re.ASCII)
_LONGEST_TIME: Final = 40
_FORMS: Final = ("%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")


class Parameters:
    """ResultParameter, read by key: a list in any order with repeats and missing Values, one object, or absent."""

    def __init__(self, result: Fields) -> None:
        items = result.within("ResultParameters").get("ResultParameter")
        self._items = [Fields(item) for item in (items if isinstance(items, list) else [items])]

    def values(self, key: str) -> Iterator[Any]:
        return (item.get("Value") for item in self._items if spelt(item.text("Key")) == spelt(key))

    def text(self, key: str) -> str:
        """The first value that is not empty."""
        return next((text for text in map(text_of, self.values(key)) if text), "")

    def id(self, key: str) -> str | None:
        return clean(self.text(key), ID_LENGTH) or None

    def money(self, key: str) -> Money | None:
        return next((money for money in map(money_of, self.values(key)) if money is not None), None)

    def phone(self, key: str) -> str | None:
        return next((digits for digits in map(leading_phone, self.values(key)) if digits), None)

    def moment(self, key: str) -> datetime | None:
        return moment_of(self.text(key))


def result_of(body: object) -> Fields:
    """The envelope of an asynchronous answer. Raises Garbled if there is none."""
    if not isinstance(Fields(body).get("Result"), dict):
        raise garbled("result")
    return Fields(body).within("Result")


def code_of(result: Fields, what: str = "result") -> str:
    """ResultCode: a number, a numeric text or letters and digits; always text to us (daraja.md, fact 9)."""
    code = clean(result.text("ResultCode"), 40)
    if not code:
        raise garbled(what)
    return code


def id_of(result: Fields, key: str) -> str | None:
    """An id that a provider made, or ours as it names it: bounded, fit to be kept and shown."""
    return clean(result.text(key), ID_LENGTH) or None


def receipt_in(text: str) -> str | None:
    """M-Pesa's receipts are capitals; None for what is none."""
    return receipt_of(text, capitals=True)


def metadata_of(callback: Fields) -> Fields:
    """A prompt's items by name: in any order, and Balance may have no Value (daraja.md 6). The first value counts."""
    items = callback.within("CallbackMetadata").get("Item")
    found: dict[str, Any] = {}
    for item in map(Fields, items if isinstance(items, list) else [items]):
        if item.text("Value"):
            found.setdefault(item.text("Name"), item.get("Value"))
    return Fields(found)


def is_final(result: Fields) -> bool:
    # 1: more messages follow (daraja.md 3.5). It is left out by some; only a clear 0 or its absence is final.
    return result.text("ResultType") in ("0", "")


def money_of(value: Any, currency: str = "KES", *, bounded: bool = True) -> Money | None:
    """None if it is absent or no exact amount. Numbers are taken exactly; floats, which come from plain JSON decoding, by
    their text; texts as `providers/facts.py` reads amounts."""
    try:
        if isinstance(value, float):
            value = Decimal(str(value))
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return Money.parse(value, currency, bounded=bounded)
        return amount_of(text_of(value), currency, bounded=bounded)
    except (ArithmeticError, InvalidRequest):
        return None


def accounts_of(text: str) -> dict[str, Money] | None:
    """The *available* balance (4th part) of each account in "Utility Account|KES|…&…"; None if unreadable."""
    balances: dict[str, Money] = {}
    for account in text.split("&"):
        parts = account.split("|")
        money = money_of(parts[3], parts[1].strip(), bounded=False) if len(parts) >= 4 else None
        name = clean(parts[0], 60)
        if money is None or not name:
            return None
        balances[name] = money
    return balances


def moment_of(value: Any) -> datetime | None:
    """Zone-less Nairobi time, such as "21.11.2026 09:14:03" or 20261121091403, as UTC. A zone that is there counts."""
    text = text_of(value)
    if len(text) > _LONGEST_TIME:
        return None
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=NAIROBI).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    try:
        zoned = datetime.fromisoformat(text)
        return zoned.astimezone(UTC) if zoned.tzinfo else None
    except (ValueError, OverflowError):
        return None


def leading_phone(value: Any) -> str | None:
    """The digits before the name in "254712345678 - WANJIRU ACHIENG". Short codes are too short to be one."""
    match = _LEADING_PHONE.match(text_of(value))
    return match.group(1) if match else None


def clear_phone(value: Any) -> Msisdn | None:
    """A Kenyan mobile number given in clear; None for a masked ("2547 ***** 678") or hashed one (daraja.md 5)."""
    match = _CLEAR_PHONE.fullmatch(text_of(value))
    return Msisdn.read(f"+254{match.group(1)}") if match else None


def garbled(what: str) -> Garbled:
    return Garbled(f"This is not a Daraja {what}.")
