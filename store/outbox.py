"""The outbox of messages: leased by a dispatcher, sent, and marked with what became of them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.traffic import Notification

_NOTIFICATIONS = table_of(Notification)


async def lease(session: AsyncSession, *, limit: int, lease_for: timedelta) -> list[Notification]:
    """Due messages, taken from all other dispatchers for a while; one that dies with them gives them back by time."""
    found = await session.exec(
        select(Notification)
        .where(Notification.state == "pending", Notification.next_attempt_at <= utc_now())
        .order_by(col(Notification.next_attempt_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(found)
    for row in rows:
        row.attempts += 1
        row.next_attempt_at = utc_now() + lease_for
        session.add(row)
    return rows


async def mark(session: AsyncSession, notification_id: str, **values: Any) -> None:
    await session.exec(update(_NOTIFICATIONS).where(_NOTIFICATIONS.c.id == notification_id).values(**values))
