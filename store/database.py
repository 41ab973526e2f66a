"""Connections to PostgreSQL: one engine a process, one transaction a request or an activity."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession


def sqlalchemy_url(url: str) -> URL:
    """A libpq URL (`postgresql://…`) as SQLAlchemy spells it for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


class Database:
    """An engine and its sessions. Close it when the process ends."""

    def __init__(self, url: str, *, pool_size: int = 10, statement_timeout_ms: int = 15_000) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,  # one round trip more, so that a callback after a database restart is not lost
            hide_parameters=True,  # an error's text may not carry the values of a statement into logs
            connect_args={"options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC"},
        )
        self._sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One session in one transaction: commits at the end of the block, rolls back on any exception."""
        async with self._sessions() as session, session.begin():
            yield session

    async def close(self) -> None:
        await self.engine.dispose()
