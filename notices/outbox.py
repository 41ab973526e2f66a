"""Tells people: writes messages into the outbox in the transaction of the event they tell of; a worker sends them later.

So a message is sent if and only if the event is recorded, and no gateway can block or fail a payment.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.crypto import CredentialBox
from core.ids import NOTIFICATION, new_id
from core.msisdn import Msisdn
from core.sms_segments import segments
from core.texts import clean
from models.tables.platform.contact import Contact
from models.tables.platform.security import Person
from notices.render import LONGEST_SUBJECT, Channel, render
from store.platform import outbox


async def notify_client(
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
        await outbox.add(session, [_row(event, f"{key}:client", "sms", phone.e164, text, partner_id, workflow_id)])


async def notify_partner(
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
    rows = [
        _row(event, f"{key}:{contact.id}", channel, recipient, text, partner_id, workflow_id)
        for contact, channel, recipient, text in _texts(event, contacts, facts)
    ]
    await outbox.add(session, rows)


async def notify_address(
    session: AsyncSession, event: str, *, key: str, email: str, subject: str, text: str, partner_id: str | None
) -> None:
    """One email of a text that its caller has written and cleaned, to an address that somebody gave for it."""
    row = _row(event, key, "email", email, f"{subject}\n{text}", partner_id, None)
    await outbox.add(session, [row])


async def notify_person(
    session: AsyncSession,
    event: str,
    *,
    key: str,
    person: Person,
    partner_id: str | None,
    workflow_id: str | None,
    facts: dict[str, str],
) -> None:
    """One email to somebody who signs in, if they have an address."""
    text = render(event, "person", "email", person.language, facts) if person.email else None
    if person.email and text:
        await outbox.add(
            session, [_row(event, f"{key}:{person.id}", "email", person.email, text, partner_id, workflow_id)]
        )


async def notify_code(
    session: AsyncSession,
    event: str,
    *,
    key: str,
    contacts: list[Contact],
    partner_id: str,
    workflow_id: str | None,
    facts: dict[str, str],
    sealer: CredentialBox,
    expires_at: datetime | None = None,
) -> None:
    """A one-time code, by every way to every contact: stored sealed, sent at once, never after `expires_at`.

    `facts` hold `code` and `minutes`, from which `expires_at` follows where none is given. Another code is another
    occasion and needs another `key`. Raises ValueError for a template whose subject would show the code, since subjects
    are not sealed.
    """
    until = expires_at or utc_now() + timedelta(minutes=int(facts["minutes"]))
    rows = []
    for contact, channel, recipient, text in _texts(event, contacts, facts):
        row = _row(event, f"{key}:{contact.id}", channel, recipient, text, partner_id, workflow_id)
        if facts["code"] in (row["subject"] or ""):
            raise ValueError(f"the subject of {event} would show the code")
        rows.append({**row, "text": sealer.seal(row["text"]), "sealed": True, "urgent": True, "expires_at": until})
    await outbox.add(session, rows)


def _texts(event: str, contacts: list[Contact], facts: dict[str, str]) -> Iterator[tuple[Contact, Channel, str, str]]:
    for contact in contacts:
        ways: list[tuple[Channel, str | None]] = [("sms", contact.phone), ("email", contact.email)]
        for channel, recipient in ways:
            text = recipient and render(event, "partner", channel, contact.language, facts)
            if recipient and text:
                yield contact, channel, recipient, text


def _row(
    event: str, key: str, channel: Channel, recipient: str, text: str, partner_id: str | None, workflow_id: str | None
) -> dict[str, Any]:
    now = utc_now()
    subject, body = None, text
    if channel == "email":
        subject, _, body = text.partition("\n")  # the first line of an email's template is its subject
        subject, body = clean(subject.removeprefix("Subject:"), LONGEST_SUBJECT), body.strip()
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
        "segments": segments(body) if channel == "sms" else None,
        "state": "pending",
        "tried": [],
        "attempts": 0,
        "next_attempt_at": now,
        "created_at": now,
    }
