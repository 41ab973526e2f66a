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
from providers.daraja.gateway import text_of

NAIROBI: Final = ZoneInfo("Africa/Nairobi")

_LEADING_PHONE = re.compile(r"\s*\+?(\d{9,15})\b")
_CLEAR_PHONE = re.compile(r"(?:\+?254|0)?([17]\d{8})")
_FORMS: Final = ("%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")


class Parameters:
    """ResultParameter, read by key: a list in any order with repeats and missing Values, one object, or absent."""

    def __init__(self, result: dict[str, Any]) -> None:
        holder = result.get("ResultParameters")
        items = holder.get("ResultParameter") if isinstance(holder, dict) else None
        self._items = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]

    def values(self, key: str) -> Iterator[Any]:
        return (item.get("Value") for item in self._items if item.get("Key") == key)

    def text(self, key: str) -> str:
        """The first value that is not empty."""
        return next((text for text in map(text_of, self.values(key)) if text), "")

    def money(self, key: str) -> Money | None:
        return money_of(self.text(key))

    def phone(self, key: str) -> str | None:
        return next((digits for digits in map(leading_phone, self.values(key)) if digits), None)

    def moment(self, key: str) -> datetime | None:
        return moment_of(self.text(key))


def result_of(body: object) -> dict[str, Any]:
    """The envelope of an asynchronous answer. Raises Garbled if there is none."""
    result = body.get("Result") if isinstance(body, dict) else None
    if not isinstance(result, dict):
        raise garbled("result")
    return result


def code_of(result: dict[str, Any], what: str = "result") -> str:
    """ResultCode: a number, a numeric text or letters and digits; always text to us (daraja.md, fact 9)."""
    code = text_of(result.get("ResultCode"))
    if not code:
        raise garbled(what)
    return code[:40]


def metadata_of(callback: dict[str, Any]) -> dict[str, Any]:
    """A prompt's items by name: in any order, and Balance may have no Value (daraja.md 6). The first value counts."""
    holder = callback.get("CallbackMetadata")
    items = holder.get("Item") if isinstance(holder, dict) else None
    found: dict[str, Any] = {}
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict) and text_of(item.get("Value")):
            found.setdefault(text_of(item.get("Name")), item["Value"])
    return found


def is_final(result: dict[str, Any]) -> bool:
    # 1: more messages follow (daraja.md 3.5). It is left out by some; only a clear 0 or its absence is final.
    return text_of(result.get("ResultType")) in ("0", "")


def money_of(value: Any, currency: str = "KES") -> Money | None:
    """None if it is absent or no exact amount. Floats come from plain JSON decoding and are read by their text."""
    text = text_of(value)
    try:
        return Money.parse(Decimal(text), currency) if text else None
    except (ArithmeticError, InvalidRequest):
        return None


def accounts_of(text: str) -> dict[str, Money] | None:
    """The *available* balance (4th part) of each account in "Utility Account|KES|…&…"; None if unreadable."""
    balances: dict[str, Money] = {}
    for account in text.split("&"):
        parts = account.split("|")
        money = money_of(parts[3], parts[1].strip()) if len(parts) >= 4 else None
        if money is None or not parts[0].strip():
            return None
        balances[parts[0].strip()] = money
    return balances


def moment_of(value: Any) -> datetime | None:
    """Zone-less Nairobi time, such as "21.11.2026 09:14:03" or 20261121091403, as UTC. A zone that is there counts."""
    text = text_of(value)
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
    try:
        return Msisdn.parse(f"+254{match.group(1)}") if match else None
    except InvalidRequest:
        return None


def garbled(what: str) -> Garbled:
    return Garbled(f"This is not a Daraja {what}.")
