"""Messages counted: what was sent, through whom, what arrived and what it cost. Read by the SMS report and the monitor."""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import case, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.platform.traffic import Notification

_N = table_of(Notification)
_COST: Final = re.compile(r"\b([A-Z]{3}) ?(\d+(?:\.\d+)?)")

SILENT_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MessageCount:
    """How many messages share event, channel, gateway, state and delivery.

    `gateway` is the one that took the message, None if none did; one that two gateways took counts under the second,
    with what both cost. `delivery` is None where the gateway gives no reports, else `awaited`, `progress`, `delivered`,
    `failed`, or `silent` for a message without a final report for too long. `segments` are the SMS that the texts are
    billed as, once each. `costs` are exact sums by currency as the gateways told them.
    """

    event: str
    channel: str
    gateway: str | None
    state: str
    delivery: str | None
    number: int
    segments: int
    costs: dict[str, str]


async def counts(
    session: AsyncSession,
    *,
    partner_id: str | None,
    since: datetime,
    until: datetime,
    silent_after: timedelta = SILENT_AFTER,
) -> list[MessageCount]:
    """Messages made in `since <= t < until`, of one partner or (None) of all, ordered by event, channel, gateway."""
    waiting = _N.c.delivery.in_(("awaited", "progress")) & (_N.c.sent_at < utc_now() - silent_after)
    delivery = case((waiting, "silent"), else_=_N.c.delivery).label("delivery")
    group = (_N.c.event, _N.c.channel, _N.c.gateway, _N.c.state, delivery, _N.c.cost)
    query = (
        select(*group, func.count().label("number"), func.coalesce(func.sum(_N.c.segments), 0).label("segments"))
        .where(_N.c.created_at >= since, _N.c.created_at < until)
        .group_by(*group)
    )
    if partner_id is not None:
        query = query.where(_N.c.partner_id == partner_id)
    rows = (await (await session.connection()).execute(query)).all()
    return _folded(rows)


def _folded(rows: Any) -> list[MessageCount]:
    """The database counts each text of a cost apart; here they become sums."""
    numbers: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    costs: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for *key, cost, number, segments in rows:
        group = tuple(key)
        numbers[group][0] += number
        numbers[group][1] += segments
        for currency, amount in _COST.findall(cost or ""):
            costs[group][currency] += Decimal(amount) * number
    return [
        MessageCount(
            event=group[0],
            channel=group[1],
            gateway=group[2],
            state=group[3],
            delivery=group[4],
            number=numbers[group][0],
            segments=numbers[group][1],
            costs={currency: str(total) for currency, total in sorted(costs[group].items())},
        )
        for group in sorted(numbers, key=lambda parts: [part or "" for part in parts])
    ]
