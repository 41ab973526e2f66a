"""Dated sets of tariff bands: added whole, never changed."""

from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.platform.tariff_band import TariffBand


async def lock(session: AsyncSession) -> None:
    """One upload at a time: two halves of a set must not come from two uploads."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended("tariffs", 0))))


async def bands_of(
    session: AsyncSession, *, charge: str, currency: str, valid_from: datetime, partner_id: str | None
) -> list[TariffBand]:
    """One set, by amount; empty if there is none."""
    query = select(TariffBand).where(
        TariffBand.charge == charge,
        TariffBand.currency == currency,
        TariffBand.valid_from == valid_from,
        col(TariffBand.partner_id).is_not_distinct_from(partner_id),
    )
    return list(await session.exec(query.order_by(col(TariffBand.from_minor))))


async def page(
    session: AsyncSession,
    *,
    seen_by: str | None,
    charge: str | None,
    before: int | None,
    limit: int,
) -> list[TariffBand]:
    """Newest first; a partner sees the general bands and its own."""
    query = select(TariffBand).order_by(col(TariffBand.id).desc()).limit(limit)
    if seen_by:
        query = query.where(or_(col(TariffBand.partner_id).is_(None), col(TariffBand.partner_id) == seen_by))
    if charge:
        query = query.where(TariffBand.charge == charge)
    if before:
        query = query.where(col(TariffBand.id) < before)
    return list(await session.exec(query))
