"""Whether the database answers."""

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession


async def beats(session: AsyncSession) -> None:
    """Raises the driver's error if it does not."""
    await (await session.connection()).execute(text("SELECT 1"))
