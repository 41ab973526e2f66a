"""The outbox of messages: leased by a dispatcher, sent, and marked with what became of them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.traffic import Notification

_NOTIFICATIONS = table_of(Notification)


async def lease(session: AsyncSession, *, limit: int, lease_for: timedelta) -> list[Notification]:
    """Due messages, taken from all other dispatchers for a while; one that dies with them gives them back by time."""
    due = (
        select(_NOTIFICATIONS.c.id)
        .where(_NOTIFICATIONS.c.state == "pending", _NOTIFICATIONS.c.next_attempt_at <= utc_now())
        .order_by(_NOTIFICATIONS.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    leased = await (await session.connection()).execute(
        update(_NOTIFICATIONS)
        .where(_NOTIFICATIONS.c.id.in_(due.scalar_subquery()))
        .values(attempts=_NOTIFICATIONS.c.attempts + 1, next_attempt_at=utc_now() + lease_for)
        .returning(*_NOTIFICATIONS.c)
    )
    return [Notification(**row) for row in leased.mappings()]


async def mark(session: AsyncSession, notification_id: str, **values: Any) -> None:
    await session.exec(update(_NOTIFICATIONS).where(_NOTIFICATIONS.c.id == notification_id).values(**values))
