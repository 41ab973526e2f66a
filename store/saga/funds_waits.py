"""The line before a wallet: who waits for how much, who was granted it, who must still hear of it.

A saga's row is locked before the wallet by whoever takes it out of the line; granting, which has the wallet, skips locked
rows. So neither waits for the other, and a saga that leaves is never granted anything behind its back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import new_id
from models.tables.base import table_of
from models.tables.saga.funds_wait import FundsWait

_WAITS: Final = table_of(FundsWait)
_PREFIX: Final = "fwt"
AGAIN_AFTER: Final = timedelta(seconds=10)  # four times as long after each telling, up to an hour
_LONGEST: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Place:
    """One saga's place in the line, and what it waits for."""

    id: str
    workflow_id: str
    needed_minor: int

    @property
    def hold_key(self) -> str:
        """Of what is kept for it, once it is granted."""
        return _hold_key(self.id, self.workflow_id)


def _hold_key(place_id: str, workflow_id: str) -> str:
    return f"{workflow_id}:funds:{place_id}"


# ----------------------------------------------------------------------------------------------------- in and out of it


async def join(
    session: AsyncSession, *, workflow_id: str, partner_id: str, account_id: str, needed_minor: int, asked_at: datetime
) -> None:
    """Takes the saga's place in the line; one that stands there for as much already keeps its row untouched."""
    row = {
        "id": new_id(_PREFIX), "workflow_id": workflow_id, "partner_id": partner_id, "account_id": account_id,
        "needed_minor": needed_minor, "asked_at": asked_at, "tellings": 0,
    }  # fmt: skip
    made = insert(_WAITS).values(row)
    await session.exec(
        made.on_conflict_do_update(
            index_elements=["workflow_id"],
            set_={"needed_minor": needed_minor},
            where=(_WAITS.c.needed_minor != needed_minor) & _WAITS.c.granted_at.is_(None),
        )
    )


async def leave(session: AsyncSession, workflow_id: str) -> str | None:
    """Out of the line. The key of the hold that the saga had been granted, which the caller takes over or releases. Waits
    for a grant that is just being made; call it before you look for the saga's holds, and before you lock the wallet."""
    gone = await session.exec(
        delete(_WAITS).where(_WAITS.c.workflow_id == workflow_id).returning(_WAITS.c.id, _WAITS.c.granted_at)
    )
    row = gone.first()
    return None if row is None or row[1] is None else _hold_key(row[0], workflow_id)


async def is_granted(session: AsyncSession, workflow_id: str) -> bool:
    found = await session.exec(
        select(FundsWait.id).where(FundsWait.workflow_id == workflow_id, col(FundsWait.granted_at).is_not(None))
    )
    return found.first() is not None


async def stands(session: AsyncSession, account_id: str) -> bool:
    """Whether anybody waits for this account, or was granted something and has not taken it yet."""
    found = await session.exec(select(FundsWait.id).where(FundsWait.account_id == account_id).limit(1))
    return found.first() is not None


# ------------------------------------------------------------------------------------------------------------- granting

_LEAST: Final = text("""
WITH RECURSIVE lines AS (
    (SELECT account_id FROM funds_waits WHERE granted_at IS NULL ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT f.account_id FROM funds_waits f
             WHERE f.granted_at IS NULL AND f.account_id > l.account_id ORDER BY f.account_id LIMIT 1)
      FROM lines l WHERE l.account_id IS NOT NULL
)
SELECT l.account_id, w.partner_id, w.needed_minor
  FROM lines l
 CROSS JOIN LATERAL (SELECT f.partner_id, f.needed_minor FROM funds_waits f
                      WHERE f.granted_at IS NULL AND f.account_id = l.account_id
                      ORDER BY f.needed_minor LIMIT 1) w
""")


async def least_needed(session: AsyncSession) -> list[tuple[str, str, int]]:
    """For each account with a line: the account, the partner, and the least that anybody there waits for. Costs the number
    of lines, not of those that stand in them."""
    rows = await (await session.connection()).execute(_LEAST)
    return [(account_id, partner_id, needed) for account_id, partner_id, needed in rows]


async def first_in_line(session: AsyncSession, account_id: str, *, at_most: int, limit: int) -> list[Place]:
    """Those that wait for no more than `at_most`, in the order in which they were requested, locked. Who is just leaving,
    or just asks for another amount, is passed over."""
    found = await session.exec(
        select(FundsWait.id, FundsWait.workflow_id, FundsWait.needed_minor)
        .where(
            FundsWait.account_id == account_id,
            col(FundsWait.granted_at).is_(None),
            col(FundsWait.needed_minor) <= at_most,
        )
        .order_by(col(FundsWait.asked_at), col(FundsWait.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [Place(*row) for row in found]


async def grant(session: AsyncSession, places: Iterable[Place]) -> None:
    """Notes that the hold of each of these was made."""
    ids = [place.id for place in places]
    await session.exec(update(_WAITS).where(_WAITS.c.id.in_(ids)).values(granted_at=utc_now()))


# -------------------------------------------------------------------------------------------------------------- telling


async def any_granted(session: AsyncSession) -> bool:
    found = await session.exec(select(FundsWait.id).where(col(FundsWait.granted_at).is_not(None)).limit(1))
    return found.first() is not None


# Sagas of all lines take turns, so that a long one does not stand before a short one.
_DUE: Final = text("""
SELECT id FROM (
    SELECT id, granted_at, asked_at, row_number() OVER (PARTITION BY account_id ORDER BY granted_at, asked_at, id) AS turn
      FROM funds_waits
     WHERE granted_at IS NOT NULL
       AND (told_at IS NULL OR told_at + least(:again * power(4, tellings - 1), :longest) < :now)
) due ORDER BY turn, granted_at, asked_at, id LIMIT :room
""")


async def due_to_hear(session: AsyncSession, *, at_once: int) -> list[str]:
    """Workflow ids of sagas that were granted what they waited for and have to hear of it: first granted, first told, and
    no more of them than leave `at_once` on their way. They are noted as told; one that does not go on is due again."""
    now = utc_now()
    under_way = await session.exec(
        select(func.count()).where(col(FundsWait.granted_at).is_not(None), col(FundsWait.told_at) > now - AGAIN_AFTER)
    )
    room = at_once - int(under_way.one())
    if room <= 0:
        return []
    values = {"again": AGAIN_AFTER, "longest": _LONGEST, "now": now, "room": room}
    due = list((await (await session.connection()).execute(_DUE, values)).scalars())
    told = await session.exec(
        update(_WAITS)
        .where(_WAITS.c.id.in_(due))
        .values(told_at=now, tellings=_WAITS.c.tellings + 1)
        .returning(_WAITS.c.workflow_id, _WAITS.c.granted_at, _WAITS.c.asked_at)
    )
    return [workflow_id for workflow_id, *_ in sorted(told, key=lambda row: row[1:])]
