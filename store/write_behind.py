"""Small writes that nobody waits for: gathered for a moment and committed together, so that a payment does not pay a
transaction for each.

Only what may be lost with its process belongs here: a line of a log, or a mark that some sweep makes again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

log = structlog.get_logger()

Write = Callable[[AsyncSession], Awaitable[None]]
_GATHERED_FOR: Final = 1.0  # seconds


class WriteBehind:
    """The writes of one process that wait. Flush it when the process ends."""

    def __init__(self, transaction: Callable[[], AbstractAsyncContextManager[AsyncSession]]) -> None:
        self._transaction = transaction
        self._waiting: list[Write] = []
        self._hurry = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def add(self, write: Write) -> None:
        """To be written soon, whatever becomes of the caller."""
        self._waiting.append(write)
        if self._writer is None or self._writer.done():
            # In a context of its own: the caller's belongs to its activity or request.
            self._writer = asyncio.get_running_loop().create_task(self._write_all(), context=Context())

    async def flush(self) -> None:
        """Returns when all that waited has been written."""
        self._hurry.set()
        if self._writer is not None:
            await self._writer
        self._hurry.clear()

    async def _write_all(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _GATHERED_FOR)
            writes, self._waiting = self._waiting, []
            if not await self._written(*writes) and len(writes) > 1:
                for write in writes:  # one that the database refuses must not take the others with it
                    await self._written(write)

    async def _written(self, *writes: Write) -> bool:
        try:
            async with self._transaction() as session:
                for write in writes:
                    await write(session)
        except SQLAlchemyError as error:
            log.error("not_written_behind", count=len(writes), error=type(error).__name__)
            return False
        return True
