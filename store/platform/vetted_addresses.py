"""Servers that the platform has looked at: by its settings, and by those who run it."""

from collections.abc import Iterable

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.outside import server_of
from models.tables.platform.claims import VettedAddress


async def is_vetted(session: AsyncSession, named: Iterable[str], provider: str, server: str) -> bool:
    """`named` are those of the settings."""
    if server in {server_of(f"https://{one}") for one in named}:
        return True
    return await get(session, provider, server) is not None


async def get(session: AsyncSession, provider: str, server: str) -> VettedAddress | None:
    return await session.get(VettedAddress, (provider, server), populate_existing=True)


async def put(session: AsyncSession, provider: str, server: str, *, note: str, by: str) -> VettedAddress:
    """The address, vetted now or before."""
    values = {"provider": provider, "server": server, "note": note, "vetted_by": by, "vetted_at": utc_now()}
    await session.exec(insert(VettedAddress).values(**values).on_conflict_do_nothing())
    row = await get(session, provider, server)
    assert row is not None
    return row


async def remove(session: AsyncSession, row: VettedAddress) -> None:
    """What was proven there stays proven; nothing more is."""
    await session.delete(row)


async def page(session: AsyncSession) -> list[VettedAddress]:
    found = await session.exec(select(VettedAddress).order_by(col(VettedAddress.provider), col(VettedAddress.server)))
    return list(found)
