"""Numbers of how things go: payments by how they ended, lines before wallets, calls to providers, what runs by the clock."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, Table, case, func, literal, select, text, union_all
from sqlmodel import select as select_rows
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import first_id
from models import kinds
from models.statuses import CANCELLED, COMPLETED
from models.tables.base import table_of
from models.tables.platform.connection import Connection
from models.tables.platform.pulse import Pulse
from models.tables.saga.funds_wait import FundsWait

# Hours, the shortest first.
WINDOWS: Final = (1, 24, 7 * 24)
_CALLS_OF: Final = timedelta(hours=1)
_MOST_ROWS: Final = 500  # of what there is one of for each lender


@dataclass(frozen=True, slots=True)
class Rate:
    """Payments of one kind that were asked for in the last `hours`, by how they are now."""

    kind: str
    hours: int
    completed: int
    failed: int
    cancelled: int
    under_way: int


@dataclass(frozen=True, slots=True)
class Line:
    """What waits before one wallet."""

    partner_id: str
    account_id: str
    waiting: int
    needed_minor: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls to one provider for one partner in the last hour. A call has failed that was not answered, or not by the
    provider's software; a refusal is an answer. `in_a_row` of the newest have failed, since `failing_since`."""

    provider: str
    partner_id: str | None
    calls: int
    failed: int
    median_ms: int
    answered_at: datetime | None
    in_a_row: int
    failing_since: datetime | None
    last_failure: str | None


async def rates(session: AsyncSession, *, partner_id: str | None, of_kinds: Collection[str]) -> list[Rate]:
    """Of each of these kinds and each window. Costs the number of payments of the longest: ids sort by time, so that older
    ones are not looked at."""
    now = utc_now()
    asked = [kind for kind in kinds.KINDS if kind.name in of_kinds]
    if not asked:
        return []
    query = union_all(*(_by_window(kind, table_of(kind.row_class), partner_id, now) for kind in asked))
    counted: Counter[tuple[str, int, str]] = Counter()
    for name, window, status, number in await (await session.connection()).execute(query):
        for hours in WINDOWS[WINDOWS.index(window) :]:
            counted[name, hours, status] += number
    return [
        Rate(kind.name, hours, *(counted[kind.name, hours, status] for status in ("completed", "failed", "cancelled",
             "under_way")))
        for kind in asked
        for hours in WINDOWS
    ]  # fmt: skip


def _by_window(kind: kinds.SagaKind, row: Table, partner_id: str | None, now: datetime) -> Select[Any]:
    c = row.c
    window = case(
        *((c.created_at >= now - timedelta(hours=hours), hours) for hours in WINDOWS[:-1]), else_=WINDOWS[-1]
    ).label("window")
    status = case(
        (c.ended_at.is_(None), "under_way"), (c.stage.in_(COMPLETED), "completed"), (c.stage.in_(CANCELLED), "cancelled"),
        else_="failed",
    ).label("status")  # fmt: skip
    begins = now - timedelta(hours=WINDOWS[-1])
    query = (
        select(literal(kind.name), window, status, func.count())
        .where(c.id >= first_id(kind.id_prefix, begins), c.created_at >= begins)
        .group_by(window, status)
    )
    return query if partner_id is None else query.where(c.partner_id == partner_id)


async def lines(session: AsyncSession, partner_id: str | None) -> list[Line]:
    """Those before each wallet, the longest first."""
    w = table_of(FundsWait).c
    query = (
        select(w.partner_id, w.account_id, func.count(), func.sum(w.needed_minor), func.min(w.asked_at))
        .where(w.granted_at.is_(None))
        .group_by(w.partner_id, w.account_id)
        .order_by(func.count().desc(), w.account_id)
        .limit(_MOST_ROWS)
    )
    if partner_id is not None:
        query = query.where(w.partner_id == partner_id)
    rows = await (await session.connection()).execute(query)
    return [Line(partner, account, number, int(needed), since) for partner, account, number, needed, since in rows]


_CALLS: Final = text("""
WITH recent AS (
    SELECT provider, partner_id, outcome, started_at, duration_ms,
           outcome NOT IN ('ok', 'cancelled') AND outcome NOT LIKE 'http\\_4%' AS failed,
           row_number() OVER (PARTITION BY provider, partner_id ORDER BY started_at DESC, id DESC) AS place
      FROM provider_exchanges
     WHERE started_at > :since AND (CAST(:partner AS text) IS NULL OR partner_id = CAST(:partner AS text))
), counted AS (
    SELECT provider, partner_id, count(*) AS calls, count(*) FILTER (WHERE failed) AS failed,
           coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ms), 0) AS median_ms,
           max(started_at) FILTER (WHERE NOT failed) AS answered_at,
           coalesce(min(place) FILTER (WHERE NOT failed), count(*) + 1) - 1 AS in_a_row
      FROM recent GROUP BY provider, partner_id
)
SELECT c.provider, c.partner_id, c.calls, c.failed, c.median_ms, c.answered_at, c.in_a_row,
       (SELECT min(r.started_at) FROM recent r
         WHERE r.provider = c.provider AND r.partner_id IS NOT DISTINCT FROM c.partner_id AND r.place <= c.in_a_row),
       (SELECT r.outcome FROM recent r
         WHERE r.provider = c.provider AND r.partner_id IS NOT DISTINCT FROM c.partner_id AND r.place = 1 AND r.failed)
  FROM counted c ORDER BY c.in_a_row DESC, c.provider, c.partner_id LIMIT :limit
""")


async def calls(session: AsyncSession, partner_id: str | None) -> list[Calls]:
    """Of the last hour, those that fail first."""
    given = {"since": utc_now() - _CALLS_OF, "partner": partner_id, "limit": _MOST_ROWS}
    return [Calls(*row) for row in await (await session.connection()).execute(_CALLS, given)]


async def connections(session: AsyncSession, partner_id: str | None) -> list[Connection]:
    """What is wrong first."""
    c = table_of(Connection).c
    worst = case({"blocked": 0, "failing": 1, "unproven": 2, "unchecked": 3}, value=c.status, else_=4)
    query = select_rows(Connection).order_by(worst, c.partner_id, c.provider).limit(_MOST_ROWS)
    if partner_id is not None:
        query = query.where(c.partner_id == partner_id)
    return list(await session.exec(query))


async def pulses(session: AsyncSession, partner_id: str | None) -> list[Pulse]:
    """What ran longest ago, for how often it runs, first."""
    p = table_of(Pulse).c
    age = func.extract("epoch", utc_now() - p.ran_at) / p.every_seconds
    query = select_rows(Pulse).order_by(age.desc(), p.name).limit(_MOST_ROWS)
    if partner_id is not None:
        query = query.where(p.partner_id == partner_id)
    return list(await session.exec(query))
