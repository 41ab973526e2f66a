"""Cases counted for reports."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.base import table_of
from models.tables.saga.case import Case

_C = table_of(Case).c


@dataclass(frozen=True, slots=True)
class CaseCount:
    """Cases of one kind: opened and closed in a period, and open now."""

    kind: str
    opened: int
    closed: int
    open_now: int
    oldest_open: datetime | None


async def counts(session: AsyncSession, since: datetime, until: datetime, partner_id: str | None) -> list[CaseCount]:
    """Of one partner or (None) of all, by kind; kinds of which there is nothing to say are left out."""
    opened = (_C.opened_at >= since) & (_C.opened_at < until)
    closed = (_C.closed_at >= since) & (_C.closed_at < until)
    is_open = _C.state == "open"
    query = (
        select(
            _C.kind, func.count().filter(opened), func.count().filter(closed), func.count().filter(is_open),
            func.min(_C.opened_at).filter(is_open),
        )
        .where(or_(opened, closed, is_open))
        .group_by(_C.kind)
        .order_by(_C.kind)
    )  # fmt: skip
    if partner_id is not None:
        query = query.where(_C.partner_id == partner_id)
    return [CaseCount(*row) for row in await (await session.connection()).execute(query)]
