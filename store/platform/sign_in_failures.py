"""What slows a guesser down: each failure for one email address, and from one network, makes the next try wait longer.

Every try counts as a failure before it is looked at, under the row's lock, so that a hundred at once are no better than one
after the other; whoever was right gives it back. The table is bounded: what is older than its memory goes, and beyond so many
rows the longest unheard of.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import Throttled
from models.tables.base import table_of
from models.tables.platform.signing_in import SignInFailure

_FAILURES: Final = table_of(SignInFailure)
_MOST: Final = 10_000
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Patience:
    """So many failures are `free`; each one after them doubles the wait, which begins with two seconds, up to `longest`.
    They are forgotten after `memory` without another."""

    free: int
    longest: timedelta
    memory: timedelta

    def wait_after(self, failures: int) -> timedelta:
        over = failures - self.free
        return timedelta(0) if over < 0 else min(self.longest, timedelta(seconds=2 ** min(over + 1, 30)))


OF_AN_EMAIL: Final = Patience(free=4, longest=timedelta(minutes=5), memory=timedelta(hours=24))
# Many people may sit behind one address.
OF_A_NETWORK: Final = Patience(free=20, longest=timedelta(minutes=15), memory=timedelta(hours=1))


async def count_first(session: AsyncSession, subjects: dict[str, Patience], now: datetime) -> None:
    """Counts a try as failed for each of these. Raises Throttled (code "too_many_tries") if one of them must wait: then
    none is counted, as the transaction is given up."""
    for subject in sorted(subjects):  # always in the same order, so that two never wait for each other
        patience = subjects[subject]
        await session.exec(
            insert(_FAILURES).values(subject=subject, count=0, last_at=now, waits_until=now).on_conflict_do_nothing()
        )
        row = await session.get_one(SignInFailure, subject, with_for_update=True)
        # Of tries at the same moment one may have a later clock than the other; where nobody waits that is no wait.
        if row.waits_until > now and patience.wait_after(row.count):
            raise Throttled(
                "Too many tries were wrong. Wait a little, then try again.",
                code="too_many_tries",
                retry_after=row.waits_until - now,
            )
        row.count = row.count + 1 if row.last_at > now - patience.memory else 1
        row.last_at, row.waits_until = now, now + patience.wait_after(row.count)
    await session.flush()
    await _forget(session, now)


async def was_right(session: AsyncSession, email: str, network: str, now: datetime) -> None:
    """Forgets what went wrong for this address. Of the network's failures only this try is given back: whoever may sign in
    himself could otherwise guess for others without end."""
    await session.exec(delete(_FAILURES).where(_FAILURES.c.subject == email))
    await session.exec(
        update(_FAILURES)
        .where(_FAILURES.c.subject == network, _FAILURES.c.count > 0)
        .values(count=_FAILURES.c.count - 1, waits_until=now)
    )


async def _forget(session: AsyncSession, now: datetime) -> None:
    """What is old, and what is too much; a few at a time, and never a row that somebody waits at."""
    memory = max(OF_AN_EMAIL.memory, OF_A_NETWORK.memory)
    old = select(_FAILURES.c.subject).where(_FAILURES.c.last_at < now - memory).order_by(_FAILURES.c.last_at)
    many = select(_FAILURES.c.subject).order_by(_FAILURES.c.last_at.desc()).offset(_MOST)
    for which in (old, many):
        some = which.limit(_AT_ONCE).with_for_update(skip_locked=True)
        await session.exec(delete(_FAILURES).where(_FAILURES.c.subject.in_(some)))
