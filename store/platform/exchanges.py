"""The log of every call to a provider.

A line of it costs no transaction of its own where an activity collects them (`collecting`): the lines wait and are written
with the activity's next commit, or at its end.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.base import table_of
from models.tables.platform.traffic import ProviderExchange

log = structlog.get_logger()

Line = dict[str, Any]
_EXCHANGES = table_of(ProviderExchange)
_WAITING: Final[ContextVar[list[Line] | None]] = ContextVar("waiting_exchanges", default=None)


@contextmanager
def collecting() -> Iterator[list[Line]]:
    """Lines of this task, and of those that it starts, wait for the next commit. What is left in the list at the end is the
    caller's to write."""
    waiting: list[Line] = []
    token = _WAITING.set(waiting)
    try:
        yield waiting
    finally:
        _WAITING.reset(token)


def will_be_written(line: Line) -> bool:
    """Puts the line with those that wait; False where nobody collects, so that it must be written now."""
    waiting = _WAITING.get()
    if waiting is None:
        return False
    waiting.append(line)
    return True


def take_waiting() -> list[Line]:
    """What waits, for a transaction that begins now."""
    waiting = _WAITING.get()
    if not waiting:
        return []
    lines, waiting[:] = waiting[:], []
    return lines


def wait_again(lines: Sequence[Line]) -> None:
    """Their transaction was rolled back."""
    waiting = _WAITING.get()
    if waiting is not None:
        waiting[:0] = lines


async def add(session: AsyncSession, *lines: Line) -> None:
    # Not `values(lines)`: SQLAlchemy would compile such a statement anew each time.
    await (await session.connection()).execute(insert(_EXCHANGES), lines)


async def are_written(session: AsyncSession, lines: list[Line]) -> bool:
    """Writes them as the first of a transaction. A payment outranks its log: if the database refuses a line, that is
    reported, and the transaction begins again without them (False)."""
    try:
        await add(session, *lines)
    except (OperationalError, InterfaceError):
        raise  # it is away
    except SQLAlchemyError as error:
        log.error("exchanges_not_logged", count=len(lines), error=type(error).__name__)
        await session.rollback()
        return False
    return True


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
