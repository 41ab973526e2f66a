"""The outbox of messages: written with the event, leased by a dispatcher, sent, and marked with what became of them.

A sealed text is wiped by every mark that ends its message, so that no caller can forget it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import case, select, text, update
from sqlalchemy.dialects.postgresql import array, insert
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.platform.traffic import Notification

_NOTIFICATIONS = table_of(Notification)

WIPED: Final = "•••"

# Asked every second for ever, so it is made once.
_LEASE: Final = text("""
UPDATE notifications
   SET attempts = attempts + 1, next_attempt_at = :until,
       tried = CASE WHEN channel = 'sms' AND attempts = 0 AND tried = '[]' AND coalesce(expires_at > :now, true)
                    THEN CAST(:asked AS jsonb) ELSE tried END
 WHERE id IN (
       SELECT id FROM notifications
        WHERE state = 'pending' AND next_attempt_at <= :now AND (CAST(:urgent AS boolean) IS NULL OR urgent = :urgent)
        ORDER BY urgent DESC, next_attempt_at LIMIT :limit
          FOR UPDATE SKIP LOCKED)
RETURNING *
""").columns(**{column.name: column.type for column in _NOTIFICATIONS.c})


async def add(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """New messages; one whose key is there already is left as it was."""
    if rows:
        # Not `values(rows)`: SQLAlchemy would compile such a statement anew each time.
        connection = await session.connection()
        await connection.execute(insert(_NOTIFICATIONS).on_conflict_do_nothing(index_elements=["key"]), rows)


async def lease(
    session: AsyncSession, *, limit: int, lease_for: timedelta, first_asked: str, urgent: bool | None = None
) -> list[Notification]:
    """Due messages, taken from all other dispatchers for a while; one that dies with them gives them back by time.

    `urgent` chooses the urgent ones or the others; None takes both, the urgent first. An SMS that is leased for the first
    time is noted as asked of the gateway `first_asked`, which the caller asks first.
    """
    leased = await (await session.connection()).execute(
        _LEASE,
        {
            "now": (now := utc_now()),
            "until": now + lease_for,
            "urgent": urgent,
            "limit": limit,
            "asked": f'["{first_asked}:asked"]',
        },
    )
    return [Notification(**row) for row in leased.mappings()]


async def mark(session: AsyncSession, notification_id: str, **values: Any) -> bool:
    """Changes a message that still waits to be sent; False if it no longer does."""
    changed = await session.exec(
        update(_NOTIFICATIONS)
        .where(_NOTIFICATIONS.c.id == notification_id, _NOTIFICATIONS.c.state == "pending")
        .values(**_wiped(values))
    )
    return bool(changed.rowcount)


async def change(session: AsyncSession, notification_id: str, **values: Any) -> None:
    """Changes a message in any state: a gateway has taken it, or has reported on it."""
    await session.exec(update(_NOTIFICATIONS).where(_NOTIFICATIONS.c.id == notification_id).values(**_wiped(values)))


async def by_message_id(session: AsyncSession, gateway: str, message_id: str) -> Notification | None:
    """The message that a gateway took under this id, locked."""
    return await _one(session, _NOTIFICATIONS.c.gateway == gateway, _NOTIFICATIONS.c.message_id == message_id)


async def open_at(
    session: AsyncSession, *, entries: Sequence[str], recipient: str, since: datetime
) -> list[Notification]:
    """SMS to this number, made since then, that nobody is known to have taken, with one of these entries in `tried`;
    locked."""
    found = await (await session.connection()).execute(
        select(_NOTIFICATIONS)
        .where(
            _NOTIFICATIONS.c.channel == "sms",
            _NOTIFICATIONS.c.recipient == recipient,
            _NOTIFICATIONS.c.state.in_(("pending", "unclear")),
            _NOTIFICATIONS.c.created_at >= since,
            _NOTIFICATIONS.c.tried.has_any(array(entries)),
        )
        .order_by(_NOTIFICATIONS.c.id)
        .with_for_update()
    )
    return [Notification(**row) for row in found.mappings()]


async def _one(session: AsyncSession, *conditions: Any) -> Notification | None:
    found = await (await session.connection()).execute(select(_NOTIFICATIONS).where(*conditions).with_for_update())
    row = found.mappings().first()
    return Notification(**row) if row else None


def _wiped(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("state", "pending") == "pending":
        return values
    return {**values, "text": case((_NOTIFICATIONS.c.sealed, WIPED), else_=_NOTIFICATIONS.c.text)}


async def of_workflow(session: AsyncSession, workflow_id: str, limit: int = 200) -> list[Notification]:
    """The messages that one saga had sent to people, oldest first."""
    query = (
        select(_NOTIFICATIONS)
        .where(_NOTIFICATIONS.c.workflow_id == workflow_id)
        .order_by(_NOTIFICATIONS.c.created_at, _NOTIFICATIONS.c.id)
        .limit(limit)
    )
    return [Notification(**row) for row in (await (await session.connection()).execute(query)).mappings()]
