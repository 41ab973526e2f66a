"""Payments and movements that providers announce at a partner's own address: read, stored, answered, delivered (P3)."""

from typing import Any, Final

import structlog
from fastapi import Request
from sqlmodel.ext.asyncio.session import AsyncSession

from api import callbacks
from api.dependencies import Services
from api.source_address import is_allowed, source_address
from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import NotAllowed, NotFound
from models.messages.base import Message
from models.messages.collections import AnnouncedPayment, Channel
from models.messages.connections import BankSecrets, BankSettings, DarajaSettings
from models.messages.payouts import PayoutReport
from models.tables.partners import Connection
from providers.banking import BankEvent, EventKind, PushParser, PushSecrets
from providers.collecting import PaymentSeen
from providers.daraja.wire import scrub
from providers.ncba import wire as ncba
from providers.reference_bank import wire as reference_bank
from store import cases, inbox, partner_admin, payouts
from temporal import bank_credits, money_in

log = structlog.get_logger()

_PARSERS: Final[dict[str, PushParser]] = {"ncba": ncba.parse_push, "reference": reference_bank.parse_push}


async def connection_of(house: Services, provider: str, secret: str) -> Connection:
    """The connection whose address this is. Raises NotFound; how long it takes tells nothing of a secret."""
    digest = sha256_hex(secret.encode("utf-8", errors="replace"))
    async with house.database.transaction() as session:
        found = await partner_admin.by_push_digest(session, provider, digest)
    if found is None:
        house.metrics.callback(f"{provider}_push", "forged")
        raise NotFound("There is nothing here.")
    return found


def refuse_strangers(house: Services, request: Request, allowed: list[str], name: str) -> None:
    """Raises NotAllowed for a source that is not the provider's."""
    if not is_allowed(source_address(request, house.settings.callbacks), allowed):
        house.metrics.callback(name, "wrong_source")
        raise NotAllowed("Announcements are not taken from this address.", code="wrong_source")


def collection_shortcode(connection: Connection) -> str:
    """The short code that customers pay to."""
    settings = DarajaSettings.model_validate(connection.settings)
    return settings.stk_party or settings.stk_shortcode or settings.shortcode


def is_of(connection: Connection, shortcode: str) -> bool:
    """Whether a short code that M-Pesa names belongs to this connection."""
    settings = DarajaSettings.model_validate(connection.settings)
    return shortcode in (settings.shortcode, settings.stk_shortcode, settings.stk_party)


def announced(partner_id: str, provider: Any, seen: PaymentSeen, channel: Channel, account: str) -> AnnouncedPayment:
    return AnnouncedPayment(
        partner_id=partner_id,
        provider=provider,
        external_id=seen.external_id,
        account=account,
        amount=seen.amount,
        reference=seen.reference,
        payer_name=seen.payer_name,
        payer_phone=seen.payer_phone,
        happened_at=seen.happened_at,
        channel=channel,
    )


async def store_payment(
    session: AsyncSession, house: Services, request: Request, payment: AnnouncedPayment, body: Any
) -> tuple[str, bool]:
    """The inbox item, and whether it is new. A repeat by the same channel is only counted."""
    return await money_in.keep(session, payment, body=body, source=source_address(request, house.settings.callbacks))


async def keep_unreadable(
    session: AsyncSession, house: Services, request: Request, connection: Connection, raw: bytes, why: str
) -> None:
    """Something came to a partner's secret address and cannot be understood: kept, and shown to a person."""
    inbox_id, is_new = await inbox.store_report(
        session,
        provider=connection.provider,
        kind="unreadable",
        external_id=f"{connection.partner_id}:unreadable:{sha256_hex(raw)[:32]}",
        workflow_id=None,
        reference="-",
        # A bank's push carries its password and people's names, and what cannot be read cannot be scrubbed.
        body=scrub(callbacks.decode(raw)) if connection.provider == "daraja" else {"bytes": len(raw)},
        report=Message(),
        source=source_address(request, house.settings.callbacks),
        partner_id=connection.partner_id,
    )
    await inbox.delivered(session, inbox_id, "unclaimed")
    if is_new:
        await cases.open_case(
            session,
            key=f"inbox:{inbox_id}",
            kind="announcement_unreadable",
            summary="An announcement of a payment cannot be understood.",
            evidence={"inbox_id": inbox_id, "why": why},
            partner_id=connection.partner_id,
        )


def read_push(house: Services, connection: Connection, raw: bytes, headers: Any) -> BankEvent:
    """The verified event. Raises NotAllowed (forged), Garbled."""
    settings = BankSettings.model_validate(connection.settings)
    secrets = BankSecrets.model_validate_json(house.box.open(connection.sealed))
    return _PARSERS[settings.dialect](
        raw,
        headers,
        PushSecrets(secrets.push_secrets, secrets.push_user, secrets.push_password),
        currency=settings.currency,
        now=utc_now(),
    )


def push_reply(connection: Connection, ok: bool, detail: str = "") -> tuple[bytes, str]:
    dialect = connection.settings.get("dialect")
    return ncba.push_reply(ok, detail) if dialect == "ncba" else reference_bank.push_reply(ok, detail)


async def store_event(
    session: AsyncSession, house: Services, request: Request, connection: Connection, event: BankEvent, body: Any
) -> str | None:
    """The id of a new inbox item to deliver; None for a repeat, and for what moves no money of ours."""
    source = source_address(request, house.settings.callbacks)
    if event.kind is EventKind.credited:
        assert event.payment is not None
        payment = announced(connection.partner_id, "bank", event.payment, "push", event.payment.account)
        dialect = BankSettings.model_validate(connection.settings).dialect
        return await bank_credits.keep(session, payment, dialect=dialect, body=body, source=source)
    assert event.result is not None
    attempt = await payouts.get(session, event.result.reference) if event.result.reference else None
    state = event.result.state.value
    if event.kind is EventKind.debited and attempt is not None and _tells_results(connection):
        # Money has left, which a later rejection may bring back: this bank says itself when an instruction is settled.
        state = "pending"
    report = PayoutReport.of(event.result, event.result.reference or "-", "callback", state=state)
    inbox_id, is_new = await inbox.store_report(
        session,
        provider="bank",
        kind="result",
        external_id=f"{connection.partner_id}:{event.event_id}",
        workflow_id=attempt.workflow_id if attempt else None,
        reference=report.reference,
        body=body,
        report=report,
        source=source,
        partner_id=connection.partner_id,
    )
    return inbox_id if is_new else None


def _tells_results(connection: Connection) -> bool:
    """Whether this bank sends the result of an instruction beside the movements that it causes (bank_ncba.md 6); of NCBA no
    such callback was ever seen, so there a debit is the evidence."""
    return BankSettings.model_validate(connection.settings).dialect == "reference"
