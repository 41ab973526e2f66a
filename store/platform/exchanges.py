"""The log of every call to a provider."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.base import table_of
from models.tables.platform.traffic import ProviderExchange

_EXCHANGES = table_of(ProviderExchange)


async def add(session: AsyncSession, **values: Any) -> None:
    await session.exec(insert(_EXCHANGES).values(**values))


async def page(
    session: AsyncSession,
    *,
    workflow_id: str | None = None,
    partner_id: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[ProviderExchange]:
    """Newest first."""
    query = select(ProviderExchange).order_by(col(ProviderExchange.id).desc()).limit(limit)
    if workflow_id:
        query = query.where(ProviderExchange.workflow_id == workflow_id)
    if partner_id:
        query = query.where(ProviderExchange.partner_id == partner_id)
    if before:
        query = query.where(col(ProviderExchange.id) < before)
    return list(await session.exec(query))
