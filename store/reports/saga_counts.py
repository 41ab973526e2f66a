"""Payments counted for reports: in sets, by the database, whatever their kind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.kinds import SagaKind
from models.statuses import Status, status_of
from models.tables.base import table_of


@dataclass(frozen=True, slots=True)
class SagaCount:
    """Payments of one kind that share all of partner, stage, reason and currency. `asked_minor` is what was asked for,
    `moved_minor` what has moved, in the currency's smallest unit."""

    kind: SagaKind
    partner_id: str
    stage: str
    ended: bool
    reason_code: str | None
    currency: str
    number: int
    asked_minor: int
    moved_minor: int
    oldest: datetime

    @property
    def status(self) -> Status:
        return status_of(self.stage, ended=self.ended)


async def begun(
    session: AsyncSession, kind: SagaKind, since: datetime, until: datetime, partner_id: str | None
) -> list[SagaCount]:
    """Asked for in `since <= t < until`, as far as they are now; of one partner or (None) of all."""
    created = table_of(kind.row_class).c.created_at
    return await _counted(session, kind, partner_id, (created >= since) & (created < until))


async def ended(
    session: AsyncSession, kind: SagaKind, since: datetime, until: datetime, partner_id: str | None
) -> list[SagaCount]:
    """Ended in `since <= t < until`."""
    at = table_of(kind.row_class).c.ended_at
    return await _counted(session, kind, partner_id, (at >= since) & (at < until))


async def under_way(session: AsyncSession, kind: SagaKind, partner_id: str | None) -> list[SagaCount]:
    """Not ended now."""
    return await _counted(session, kind, partner_id, table_of(kind.row_class).c.ended_at.is_(None))


async def _counted(
    session: AsyncSession, kind: SagaKind, partner_id: str | None, which: ColumnElement[bool]
) -> list[SagaCount]:
    table = table_of(kind.row_class).c
    has_ended = table.ended_at.is_not(None)
    group: tuple[Any, ...] = (table.partner_id, table.stage, has_ended, table.reason_code, table.currency)
    query = (
        select(
            *group, func.count(), func.coalesce(func.sum(table.amount_minor), 0),
            func.coalesce(func.sum(table[kind.row_class.moved_column]), 0), func.min(table.created_at),
        )
        .where(which)
        .group_by(*group)
        .order_by(table.partner_id, table.stage, table.reason_code, table.currency)
    )  # fmt: skip
    if partner_id is not None:
        query = query.where(table.partner_id == partner_id)
    rows: Any = await (await session.connection()).execute(query)
    return [
        SagaCount(kind, partner, stage, is_over, reason, currency, number, int(asked), int(moved), oldest)
        for partner, stage, is_over, reason, currency, number, asked, moved, oldest in rows
    ]
