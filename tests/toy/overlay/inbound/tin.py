"""What the tin's messages say: the outcome of a payout or a prompt, at that payment's own address; a payment that somebody
made, at the connection's.

The address decides whom an outcome speaks of, never the body.
"""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import CredentialBox, sha256_hex
from core.errors import Garbled
from inbound import money_in, refusals, texts
from inbound.sealing import RawMessage
from models.messages.connections.tin import TinSettings
from models.messages.inbound import Reading
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.reports import Report
from models.tables.platform.connection import Connection
from models.tables.platform.traffic import InboxItem
from providers.tin.wire import body_of, payment_of, report_of
from store.saga import payouts, prompts

PROVIDER: Final = "tin"


async def read_payout(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    attempt = await payouts.get(session, item.reference)
    reading = _outcome("result", item, message)
    if attempt is not None and not payouts.belongs(attempt, provider=PROVIDER, workflow_id=item.workflow_id):
        return refusals.foreign(reading, channel="the tin's callback")
    return reading


async def read_prompt(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    prompt = await prompts.get(session, item.reference)
    reading = _outcome("prompt", item, message)
    if prompt is not None and (prompt.provider, prompt.workflow_id) != (PROVIDER, item.workflow_id):
        return refusals.foreign(reading, channel="the tin's answer to a prompt")
    return reading


async def read_payment(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """Raises Garbled."""
    connection = await session.get(Connection, item.connection_id)
    if connection is None:
        raise Garbled("The connection that it came by is gone.")
    settings = TinSettings.model_validate(connection.settings)
    seen = texts.bounded(payment_of(body_of(message.body), settings.currency))
    if seen.account != settings.account:
        raise Garbled("It names an account that is not this connection's.")
    payment = AnnouncedPayment(
        partner_id=connection.partner_id, provider=PROVIDER, external_id=seen.external_id, account=seen.account,
        amount=seen.amount, reference=seen.reference, payer_phone=seen.payer_phone, happened_at=seen.happened_at,
        channel="push",
    )  # fmt: skip
    return money_in.announcement(payment)


def _outcome(kind: str, item: InboxItem, message: RawMessage) -> Reading:
    """What cannot be read came from somebody who has that address: the saga asks what it was."""
    try:
        report = report_of(body_of(message.body), "callback")
        told = f"{report.state}:{report.receipt or report.code}"
    except Garbled:
        report = Report(source="callback", state="unclear", code="garbled", detail="the callback cannot be read")
        told = f"garbled:{sha256_hex(message.body)[:32]}"
    return Reading(
        provider=PROVIDER, kind=kind, external_id=f"{item.reference}:{told}", workflow_id=item.workflow_id,
        report=report.about(item.reference).model_dump(mode="json"), reference=item.reference,
        body={"state": report.state, "receipt": report.receipt}, partner_id=item.partner_id,
    )  # fmt: skip


READERS: Final = {"payout": read_payout, "prompt": read_prompt, "payment": read_payment}
