"""Connections to PostgreSQL: one engine a process, one transaction a request or an activity."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import TermHasher
from core.settings import Security, Settings

# A flush sorts tables by their foreign keys, so that whoever opens the database must know every table.
from models.tables import registry  # noqa: F401
from store.platform import exchanges
from store.saga.search_terms import HASHER
from store.write_behind import Write, WriteBehind


def sqlalchemy_url(url: str) -> URL:
    """A libpq URL (`postgresql://…`) as SQLAlchemy spells it for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


# A connection that was used within this time is taken for alive. Asking each time would cost every transaction a round
# trip; never asking would lose the first callback after a restart of the database.
_ALIVE_SECONDS: Final = 1.0


def _ping_idle_connections(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "checkin")
    def note_time(connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("used_at", time.monotonic()) < _ALIVE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool drops it and tries another


class Database:
    """An engine and its sessions. Close it when the process ends."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        statement_timeout_ms: int = 15_000,
        search_keys: Sequence[SecretStr] = Security().search_keys,
    ) -> None:
        """What serves an installation is made by `of`. Without `search_keys` phones and names are hashed by the key of the
        local stack, which everybody knows."""
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,  # an error's text may not carry the values of a statement into logs
            connect_args={"options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC"},
        )
        _ping_idle_connections(self.engine)
        hasher = TermHasher([key.get_secret_value() for key in search_keys])
        self._sessions = async_sessionmaker(
            self.engine, class_=AsyncSession, expire_on_commit=False, info={HASHER: hasher}
        )
        self._behind = WriteBehind(self.transaction)

    @classmethod
    def of(cls, settings: Settings, *, pool_size: int | None = None, statement_timeout_ms: int | None = None) -> Self:
        """As the settings say, unless a pool or a timeout is given."""
        ours = settings.database
        return cls(
            ours.url,
            pool_size=pool_size or ours.pool_size,
            statement_timeout_ms=statement_timeout_ms or ours.statement_timeout_ms,
            search_keys=settings.security.search_keys,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One session in one transaction: commits at the end of the block, rolls back on any exception. Lines of the
        exchange log that wait are written with it: first, so that no lock is held for them."""
        lines = exchanges.take_waiting()
        try:
            async with self._sessions() as session:
                if lines and not await exchanges.are_written(session, lines):
                    lines = []
                yield session
                await session.commit()
        except BaseException:
            exchanges.wait_again(lines)
            raise

    def later(self, write: Write) -> None:
        """Writes it soon, with others, in a transaction of their own; it is lost with the process (store/write_behind.py)."""
        self._behind.add(write)

    async def flush(self) -> None:
        """Returns when what was to be written later is written."""
        await self._behind.flush()

    async def close(self) -> None:
        await self.flush()
        await self.engine.dispose()
