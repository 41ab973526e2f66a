"""Times and amounts as people read them."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from api.console.wording import Wording
from core.money import Money


def moment(value: datetime | str | None, zone: ZoneInfo, *, seconds: bool = False) -> Markup | str:
    """In the reader's zone, with UTC where the pointer rests."""
    if value is None:
        return "–"
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    plain = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        plain.strftime("%Y-%m-%dT%H:%M:%SZ"),
        plain.strftime("%Y-%m-%d %H:%M:%S"),
        at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"),
    )


def amount(minor: int | None, currency: str | None) -> str:
    """With the decimals of its currency: "KES 1,250.00", "UGX 1,250"; a dash for none."""
    return "–" if minor is None or currency is None else str(Money(minor, currency))


def plain(value: Any) -> str:
    """A fact of any kind in a line."""
    if value is None or value == "" or value == [] or value == {}:
        return "–"
    if isinstance(value, bool):
        return "✓" if value else "–"
    if isinstance(value, list | tuple):
        return ", ".join(plain(one) for one in value)
    if isinstance(value, dict):
        if value.keys() == {"amount", "currency"}:
            return str(Money.parse(value["amount"], value["currency"], signed=True, bounded=False))
        return "; ".join(f"{name}: {plain(one)}" for name, one in value.items())
    return value.isoformat() if isinstance(value, date) else str(value)


def pairs(values: Iterable[str], words: Wording, group: str) -> list[tuple[str, str]]:
    """Machine words with what people call them, as a field to choose from takes them."""
    return [(value, words.of(group, value)) for value in values]


def pretty(value: Any) -> str:
    """JSON over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
