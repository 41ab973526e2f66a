"""Whether the database answers and how long it may think; and when what runs by the clock last ran."""

from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models import providers
from models.tables.base import table_of
from models.tables.platform.pulse import Pulse

_PULSES: Final = table_of(Pulse)
# The house's own schedules, by id, and how often they run.
SWEEP: Final = "sweep"
BOOKS_CHECK: Final = "books-check"
RETENTION: Final = "retention"
EVERY: Final = {SWEEP: timedelta(seconds=30), BOOKS_CHECK: timedelta(days=1), RETENTION: timedelta(days=1)}


async def beats(session: AsyncSession) -> None:
    """Raises the driver's error if it does not."""
    await (await session.connection()).execute(text("SELECT 1"))


async def allow(session: AsyncSession, time: timedelta) -> None:
    """Gives the statements of this transaction more time than ordinary ones get."""
    await (await session.connection()).execute(
        text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(time // timedelta(milliseconds=1))}
    )


async def ran(session: AsyncSession, name: str) -> None:
    """One of the house's schedules has run; in the transaction of what it did."""
    await _note(session, name, None, EVERY[name])


async def watched(session: AsyncSession, provider: str, partner_id: str) -> None:
    """A partner's connection was polled or pulled, and answered."""
    watch = providers.named(provider).watch
    assert watch is not None, provider
    await _note(session, f"{watch.name}/{partner_id}", partner_id, watch.every)


async def _note(session: AsyncSession, name: str, partner_id: str | None, every: timedelta) -> None:
    seconds = every // timedelta(seconds=1)
    values = {"name": name, "partner_id": partner_id, "every_seconds": seconds, "ran_at": utc_now()}
    await session.exec(
        insert(_PULSES)
        .values(values)
        .on_conflict_do_update(index_elements=["name"], set_={"ran_at": values["ran_at"], "every_seconds": seconds})
    )
