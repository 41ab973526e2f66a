"""A report's tables are all of one moment."""

from typing import Final

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


async def freeze(session: AsyncSession) -> None:
    """From now on every statement of the transaction sees the same moment, and none may write. To be called before any
    other statement."""
    await (await session.connection()).execute(_ONE_MOMENT)
