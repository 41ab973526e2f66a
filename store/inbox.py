"""The webhook inbox: stored before it is answered, delivered until a saga has taken it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import INBOX, new_id
from models.messages.base import Message
from models.tables.traffic import InboxItem

# The first delivery is made by the process that took the webhook; the sweep leaves it this much time.
_FIRST_SWEEP = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=10)


async def store_report(
    session: AsyncSession,
    *,
    provider: str,
    kind: str,
    external_id: str,
    workflow_id: str | None,
    reference: str,
    body: Any,
    report: Message,
    source: str | None,
    partner_id: str | None = None,
) -> tuple[str, bool]:
    """The item's id, and whether it is new; a copy of a stored one is only counted."""
    now = utc_now()
    stored = await session.exec(
        insert(InboxItem)
        .values(
            id=new_id(INBOX), provider=provider, kind=kind, external_id=external_id,
            partner_id=partner_id, workflow_id=workflow_id,
            reference=reference, body=body, report=report.model_dump(mode="json"), source=source, received_at=now,
            copies=1, attempts=0, next_attempt_at=now + _FIRST_SWEEP, outcome="waiting",
        )
        .on_conflict_do_update(
            index_elements=["provider", "external_id"], set_={"copies": InboxItem.__table__.c.copies + 1}  # type: ignore[attr-defined]
        )
        .returning(col(InboxItem.id), col(InboxItem.copies))
    )  # fmt: skip
    row = stored.one()
    return row.id, row.copies == 1


async def get(session: AsyncSession, inbox_id: str) -> InboxItem | None:
    return await session.get(InboxItem, inbox_id)


async def due(session: AsyncSession, *, limit: int = 200) -> list[str]:
    """Ids of items that wait for delivery and may be tried now, oldest first."""
    found = await session.exec(
        select(InboxItem.id)
        .where(col(InboxItem.delivered_at).is_(None), InboxItem.next_attempt_at <= utc_now())
        .order_by(col(InboxItem.received_at))
        .limit(limit)
    )
    return list(found)


async def delivered(session: AsyncSession, inbox_id: str, outcome: str) -> None:
    await session.exec(
        update(InboxItem)
        .where(col(InboxItem.id) == inbox_id)
        .values(delivered_at=utc_now(), outcome=outcome, attempts=InboxItem.__table__.c.attempts + 1)  # type: ignore[attr-defined]
    )


async def postpone(session: AsyncSession, item: InboxItem) -> datetime:
    """Not taken this time: the next try, ever later up to ten minutes, without end."""
    wait = min(_FIRST_SWEEP * 2 ** min(item.attempts, 8), _LONGEST_WAIT)
    item.attempts += 1
    item.next_attempt_at = utc_now() + wait
    session.add(item)
    return item.next_attempt_at


async def waiting(session: AsyncSession) -> int:
    """How many items no saga has taken yet."""
    count = await session.exec(select(func.count()).select_from(InboxItem).where(col(InboxItem.delivered_at).is_(None)))
    return count.one()
