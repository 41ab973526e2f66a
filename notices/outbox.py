"""Tells people: writes messages into the outbox in the transaction of the event they tell of; a worker sends them later.

So a message is sent if and only if the event is recorded, and no gateway can block or fail a payment.
"""

from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import NOTIFICATION, new_id
from core.msisdn import Msisdn
from models.tables.base import table_of
from models.tables.partners import Contact
from models.tables.traffic import Notification
from notices.render import Channel, render

_NOTIFICATIONS = table_of(Notification)


async def tell_client(
    session: AsyncSession,
    event: str,
    *,
    key: str,
    phone: Msisdn,
    language: str,
    partner_id: str,
    workflow_id: str,
    facts: dict[str, str],
) -> None:
    """One SMS to the borrower. `key` names the occasion; saying it again is harmless."""
    text = render(event, "client", "sms", language, facts)
    if text:
        row = _row(event, f"{key}:client", "sms", phone.e164, text, partner_id, workflow_id)
        await session.exec(insert(_NOTIFICATIONS).values([row]).on_conflict_do_nothing(index_elements=["key"]))


async def tell_partner(
    session: AsyncSession,
    event: str,
    *,
    key: str,
    contacts: list[Contact],
    partner_id: str,
    workflow_id: str | None,
    facts: dict[str, str],
) -> None:
    """An SMS to each contact with a phone and an email to each with an address, where the event has a text for it."""
    rows = []
    for contact in contacts:
        ways: list[tuple[Channel, str | None]] = [("sms", contact.phone), ("email", contact.email)]
        for channel, recipient in ways:
            text = recipient and render(event, "partner", channel, contact.language, facts)
            if recipient and text:
                rows.append(_row(event, f"{key}:{contact.id}", channel, recipient, text, partner_id, workflow_id))
    if rows:
        await session.exec(insert(_NOTIFICATIONS).values(rows).on_conflict_do_nothing(index_elements=["key"]))


def _row(
    event: str, key: str, channel: Channel, recipient: str, text: str, partner_id: str, workflow_id: str | None
) -> dict[str, object]:
    now = utc_now()
    subject, body = None, text
    if channel == "email":
        subject, _, body = text.partition("\n")  # the first line of an email's template is its subject
        subject, body = subject.removeprefix("Subject:").strip(), body.strip()
    return {
        "id": new_id(NOTIFICATION),
        "key": f"{key}:{channel}",
        "event": event,
        "partner_id": partner_id,
        "workflow_id": workflow_id,
        "channel": channel,
        "recipient": recipient,
        "subject": subject,
        "text": body,
        "state": "pending",
        "tried": [],
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
    }
