"""Who gets which report by email, and which days were sent."""

from datetime import date

from sqlalchemy import delete, func, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import LimitExceeded
from models.tables.base import table_of
from models.tables.platform.report_subscription import ReportSubscription

_S = table_of(ReportSubscription)
MOST: int = 20  # of one partner, and of the house


async def add(session: AsyncSession, row: ReportSubscription) -> tuple[ReportSubscription, bool]:
    """The subscription of this partner, kind and address, and whether this made it; one that is there keeps its hour.
    Raises LimitExceeded (code "too_many_subscriptions")."""
    same = select(ReportSubscription).where(
        ReportSubscription.partner_id == row.partner_id,
        ReportSubscription.kind == row.kind,
        ReportSubscription.email == row.email,
    )
    if (found := (await session.exec(same)).first()) is not None:
        return found, False
    number = select(func.count()).select_from(ReportSubscription).where(ReportSubscription.partner_id == row.partner_id)
    if (await session.exec(number)).one() >= MOST:
        raise LimitExceeded(f"There are {MOST} subscriptions already.", code="too_many_subscriptions")
    made = await session.exec(insert(_S).values(row.model_dump()).on_conflict_do_nothing().returning(_S.c.id))
    is_new = made.first() is not None
    return (await session.exec(same)).one(), is_new


async def get(session: AsyncSession, subscription_id: str) -> ReportSubscription | None:
    return await session.get(ReportSubscription, subscription_id)


async def remove(session: AsyncSession, subscription_id: str) -> None:
    await session.exec(delete(_S).where(_S.c.id == subscription_id))


async def page(
    session: AsyncSession, *, partner_id: str | None, before: str | None, limit: int
) -> list[ReportSubscription]:
    """Newest first: of one partner or (None) of all."""
    query = select(ReportSubscription).order_by(col(ReportSubscription.id).desc()).limit(limit)
    if partner_id is not None:
        query = query.where(ReportSubscription.partner_id == partner_id)
    if before is not None:
        query = query.where(col(ReportSubscription.id) < before)
    return list(await session.exec(query))


async def every(session: AsyncSession) -> list[ReportSubscription]:
    return list(await session.exec(select(ReportSubscription).order_by(col(ReportSubscription.id))))


async def sent(session: AsyncSession, subscription_id: str, day: date) -> bool:
    """Notes that a day goes out with this transaction; False if it did before, or the subscription is gone."""
    noted = await session.exec(
        update(_S)
        .where(_S.c.id == subscription_id, or_(_S.c.last_day.is_(None), _S.c.last_day < day))
        .values(last_day=day)
        .returning(_S.c.id)
    )
    return noted.first() is not None
