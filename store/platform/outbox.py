"""The outbox of messages: written with the event, leased by a dispatcher, sent, and marked with what became of them.

A sealed text is wiped by every mark that ends its message, so that no caller can forget it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import case, cast, func, select, true, update
from sqlalchemy.dialects.postgresql import JSONB, array, insert
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.platform.traffic import Notification

_NOTIFICATIONS = table_of(Notification)

WIPED: Final = "•••"


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
    now = utc_now()
    due = (
        select(_NOTIFICATIONS.c.id)
        .where(_NOTIFICATIONS.c.state == "pending", _NOTIFICATIONS.c.next_attempt_at <= now)
        .order_by(_NOTIFICATIONS.c.urgent.desc(), _NOTIFICATIONS.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if urgent is not None:
        due = due.where(_NOTIFICATIONS.c.urgent == urgent)
    new_sms = (
        (_NOTIFICATIONS.c.channel == "sms")
        & (_NOTIFICATIONS.c.attempts == 0)
        & (_NOTIFICATIONS.c.tried == cast([], JSONB))
        & func.coalesce(_NOTIFICATIONS.c.expires_at > now, true())
    )
    asked = cast([f"{first_asked}:asked"], JSONB)
    leased = await (await session.connection()).execute(
        update(_NOTIFICATIONS)
        .where(_NOTIFICATIONS.c.id.in_(due.scalar_subquery()))
        .values(
            attempts=_NOTIFICATIONS.c.attempts + 1,
            next_attempt_at=now + lease_for,
            tried=case((new_sms, asked), else_=_NOTIFICATIONS.c.tried),
        )
        .returning(*_NOTIFICATIONS.c)
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
