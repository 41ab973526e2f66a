"""What a bank's pushes say: credits, debits, results of our instructions (bank_ncba.md 2, 6)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import CredentialBox
from core.errors import Garbled
from inbound import bank_credits, refusals, texts
from inbound.sealing import RawMessage
from models.messages.connections.bank import BankSecrets, BankSettings
from models.messages.inbound import CaseFound, Reading
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.tables.platform.connection import Connection
from models.tables.platform.traffic import InboxItem
from providers.banking import BankEvent, EventKind, PushParser, PushSecrets
from providers.ncba import wire as ncba
from providers.reference_bank import wire as reference_bank
from store.saga import payouts

_PARSERS: Final[dict[str, PushParser]] = {"ncba": ncba.parse_push, "reference": reference_bank.parse_push}
# Banks whose signature covers the bytes as they come, and which send again what was refused: a forgery is turned away at
# the door. Where it covers parsed fields, or nobody sends again, the message is stored first and judged afterwards.
PROVEN_AT_THE_DOOR: Final = frozenset({"reference"})


def parse(
    connection: Connection, box: CredentialBox, raw: bytes, headers: Mapping[str, str], *, now: datetime
) -> BankEvent:
    """The verified event. Raises NotAllowed (forged), Garbled."""
    settings = BankSettings.model_validate(connection.settings)
    secrets = BankSecrets.model_validate_json(box.open(connection.sealed))
    return _PARSERS[settings.dialect](
        raw,
        headers,
        PushSecrets(secrets.push_secrets, secrets.push_user, secrets.push_password),
        currency=settings.currency,
        now=now,
    )


async def read_push(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """Raises NotAllowed for what the bank did not send, Garbled. Judged by the clock of its arrival."""
    connection = await session.get(Connection, item.connection_id)
    if connection is None:
        raise Garbled("The connection that it came by is gone.")
    event = parse(connection, box, message.body, message.headers, now=item.received_at)
    bank = BankSettings.model_validate(connection.settings)
    body = {"event_id": event.event_id, "kind": event.kind.value, "account": event.account}
    if event.kind is not EventKind.credited:
        return await _result(session, connection.partner_id, bank, event, body)
    assert event.payment is not None
    seen = texts.bounded(event.payment)
    credit = AnnouncedPayment(
        partner_id=connection.partner_id, provider="bank", external_id=seen.external_id, account=seen.account,
        amount=seen.amount, reference=seen.reference, payer_name=seen.payer_name, payer_phone=seen.payer_phone,
        happened_at=seen.happened_at, channel="push",
    )  # fmt: skip
    return await bank_credits.read(session, credit, bank, body=body)


async def _result(
    session: AsyncSession, partner_id: str, bank: BankSettings, event: BankEvent, body: dict[str, str | None]
) -> Reading:
    """News of an instruction of this partner to this bank, or a debit that none explains."""
    assert event.report is not None
    report = event.report
    attempt = await payouts.get(session, report.reference) if report.reference else None
    ours = attempt is not None and payouts.belongs(attempt, provider="bank", partner_id=partner_id)
    if event.kind is EventKind.debited and ours and bank.dialect == "reference":
        # Money has left, which a later rejection may bring back: this bank says itself when an instruction is settled
        # (bank_ncba.md 6). Of NCBA no such message was ever seen, so there a debit is the evidence.
        report = report.model_copy(update={"state": "pending"})
    reading = Reading(
        provider="bank", kind="result", external_id=f"{partner_id}:{event.event_id}",
        workflow_id=attempt.workflow_id if attempt and ours else None, reference=report.reference or "-", body=body,
        report=report.model_dump(mode="json"), partner_id=partner_id,
    )  # fmt: skip
    if attempt is not None and not ours:
        return refusals.foreign(reading, channel="this partner's bank")
    if event.account is not None and bank.role_of(event.account) is None:
        return _foreign_account(reading, event.account, str(report.amount or "-"))
    return reading


def _foreign_account(reading: Reading, account: str, amount: str) -> Reading:
    case = CaseFound(
        kind="foreign_account",
        summary="The bank told of a movement on an account that is not this partner's; nothing was believed.",
        evidence={"account": account[:40], "amount": amount, "reference": reading.reference},
    )
    return reading.model_copy(update={"outcome": "refused", "workflow_id": None, "case": case})


READERS: Final = {"push": read_push}
