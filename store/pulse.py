"""Whether the database answers, and how long it may think."""

from datetime import timedelta

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession


async def beats(session: AsyncSession) -> None:
    """Raises the driver's error if it does not."""
    await (await session.connection()).execute(text("SELECT 1"))


async def allow(session: AsyncSession, time: timedelta) -> None:
    """Gives the statements of this transaction more time than ordinary ones get."""
    await (await session.connection()).execute(
        text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(time // timedelta(milliseconds=1))}
    )
