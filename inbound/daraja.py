"""What M-Pesa's messages say: reports on payouts and prompts, balances, payments to a short code (daraja.md 3, 5, 6, 8).

The address decides whom a report speaks of, never the body. Reading never fails for what came to a payment's own address:
what cannot be understood came from somebody who has that address, and is told as `unclear`, so that the saga asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client

from core.bounded_json import Unreadable, read_json
from core.clock import utc_now
from core.crypto import CredentialBox, sha256_hex
from core.errors import Garbled, KivukoError, NotAllowed
from core.money import Money
from inbound import connection_checks, money_in, refusals, texts
from inbound.sealing import RawMessage
from models.messages.connections.daraja import DarajaSettings
from models.messages.connections.jobs import BalanceTold
from models.messages.inbound import Reading
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.reports import Report, ReportSource
from models.tables.platform.connection import Connection
from models.tables.platform.traffic import InboxItem
from models.tables.saga.payout_attempt import PayoutAttempt
from notices import blocked
from providers.daraja.wire import (
    balances_beside,
    external_id,
    parse_balance_result,
    parse_c2b,
    parse_result,
    parse_status_result,
    parse_stk_callback,
    parse_timeout_notice,
    scrub,
)
from store.platform import partner_admin, provider_balances
from store.saga import payouts, prompts, saga_rows
from store.saga.unknown_outcomes import UNKNOWN_PAYOUTS

log = structlog.get_logger()

PROVIDER: Final = "daraja"


def _garbled(source: ReportSource) -> Report:
    return Report(source=source, state="unclear", code="garbled", detail="the callback cannot be read")


@dataclass(frozen=True, slots=True)
class _News:
    """One kind of report on a payout; `name` is the inbox's word for it (daraja.md 3.4, 3.6, 7)."""

    name: str
    parse: Callable[[object], Report]
    garbled: Report


_PAYOUT_NEWS: Final = {
    "daraja.result": _News("result", parse_result, _garbled("callback")),
    "daraja.timeout": _News("timeout", parse_timeout_notice, _garbled("timeout_notice")),
    "daraja.status": _News("status", parse_status_result, _garbled("query")),
}


async def read_payout_news(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """A report on the payout whose address it came to. The attempt must be one of M-Pesa and of the address's saga."""
    news = _PAYOUT_NEWS[item.endpoint or ""]
    body = decode(message.body)
    try:
        said, identity = news.parse(body), external_id(news.name, body)
        balances = balances_beside(body) if news.name == "result" else {}
    except (Garbled, RecursionError):
        said, balances = news.garbled, {}
        identity = f"{news.name}:garbled:{sha256_hex(message.body)[:32]}"
    attempt = await payouts.get(session, item.reference)
    connection = await _connection(session, attempt)
    version = connection.settings.get("b2c_version") if connection else None
    report = _report(news, item.reference, said, b2c_version=version)
    reading = Reading(
        provider=PROVIDER, kind=news.name,
        # Begins with our reference, so that two payments whose notices carry no id of their own stay two.
        external_id=f"{item.reference}:{identity}",
        report=report.model_dump(mode="json"), reference=item.reference, body=readable(body),
        workflow_id=item.workflow_id, partner_id=attempt.partner_id if attempt else item.partner_id,
    )  # fmt: skip
    if attempt is None:
        return reading
    if not payouts.belongs(attempt, provider=PROVIDER, workflow_id=item.workflow_id):
        return refusals.foreign(reading, channel=f"M-Pesa's {news.name}")
    if attempt.state in UNKNOWN_PAYOUTS and connection is not None and await _lives(session, attempt.workflow_id):
        await _learn(session, item, news, attempt, connection, report, balances)
    return reading


async def read_prompt_news(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """What a payer answered to the prompt whose address it came to."""
    body = decode(message.body)
    try:
        said, identity = parse_stk_callback(body), external_id("asked", body)
    except (Garbled, RecursionError):
        said = _garbled("callback")
        identity = f"asked:garbled:{sha256_hex(message.body)[:32]}"
    report = said.about(item.reference)
    prompt = await prompts.get(session, item.reference)
    reading = Reading(
        provider=PROVIDER, kind="prompt", external_id=f"{item.reference}:{identity}",
        report=report.model_dump(mode="json"), reference=item.reference, body=readable(body),
        workflow_id=item.workflow_id, partner_id=prompt.partner_id if prompt else item.partner_id,
    )  # fmt: skip
    if prompt is not None and (prompt.provider, prompt.workflow_id) != (PROVIDER, item.workflow_id):
        return refusals.foreign(reading, channel="M-Pesa's answer to a prompt")
    return reading


async def read_balances(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """The balances of a partner's accounts; `reference` is the partner."""
    partner_id = item.reference
    body = decode(message.body)
    if (item.workflow_id or "").startswith(connection_checks.CHECK_ROUTE):
        return _balance_check(item, body)
    connection = await partner_admin.find_connection(session, partner_id, PROVIDER)
    reading = Reading(
        provider=PROVIDER, kind="balance", external_id=f"{partner_id}:balance:{item.id}", report={},
        reference=partner_id, body=readable(body), workflow_id=item.workflow_id,
        partner_id=partner_id if connection else None, outcome="taken",
    )  # fmt: skip
    try:
        balances = parse_balance_result(body)
    except KivukoError as error:
        if isinstance(error, NotAllowed) and connection is not None:
            await blocked.block(session, connection, error.detail)
        log.warning("balances_not_told", partner_id=partner_id, code=error.code)
        if isinstance(error, Garbled):
            return refusals.unreadable(reading, error.detail, key=f"unreadable:{partner_id}:balance")
        return reading.model_copy(update={"outcome": "redundant"})
    if connection is not None:
        await provider_balances.tell(session, partner_id, PROVIDER, balances, utc_now())
    return reading


def _balance_check(item: InboxItem, body: Any) -> Reading:
    """What an answer says of credentials that somebody tries: nothing of those that are stored."""
    try:
        parse_balance_result(body)
        told = BalanceTold(ok=True)
    except NotAllowed as refused:
        told = BalanceTold(ok=False, code=refused.code, detail=refused.detail)
    except (KivukoError, RecursionError):
        told = BalanceTold(ok=True, certain=False)
    return Reading(
        provider=PROVIDER, kind="balance_check", external_id=f"{item.reference}:balance-check:{item.id}",
        report=told.model_dump(mode="json"), reference=item.reference, body=readable(body), workflow_id=item.workflow_id,
    )  # fmt: skip


async def read_confirmation(session: AsyncSession, box: CredentialBox, item: InboxItem, message: RawMessage) -> Reading:
    """A payment to the short code of the connection whose address it came to. Raises Garbled."""
    connection = await session.get(Connection, item.connection_id)
    if connection is None:
        raise Garbled("The connection that it came by is gone.")
    body = decode(message.body)
    seen = texts.bounded(parse_c2b(body))
    settings = DarajaSettings.model_validate(connection.settings)
    if seen.account not in (settings.shortcode, settings.stk_shortcode, settings.stk_party):
        raise Garbled("It names a short code that is not this connection's.")
    payment = AnnouncedPayment(
        partner_id=connection.partner_id, provider="daraja", external_id=seen.external_id,
        # Customers pay to one short code, whatever M-Pesa calls it here.
        account=settings.stk_party or settings.stk_shortcode or settings.shortcode,
        amount=seen.amount, reference=seen.reference, payer_name=seen.payer_name, payer_phone=seen.payer_phone,
        happened_at=seen.happened_at, channel="confirmation",
    )  # fmt: skip
    return money_in.announcement(payment, readable(body))


def decode(raw: bytes) -> Any:
    """The JSON value; None for what is no JSON, or beyond the bounds."""
    try:
        return read_json(raw)
    except Unreadable:
        return None


def readable(body: Any) -> Any:
    """A copy for people, without secrets and persons."""
    return {} if body is None else scrub(_plain(body))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value


def _report(news: _News, reference: str, said: Report, *, b2c_version: str | None) -> Report:
    """A v3 result names our reference. If it names another, it is kept but believed in nothing: the saga asks for the
    status. On v1 the name is Daraja's own, and a status answer speaks of the reference that was asked for."""
    if news.name == "result" and b2c_version == "v3" and said.reference not in (None, reference):
        differs = "the result names another payment than its address"
        said = said.model_copy(
            update={
                "state": "unclear", "code": "reference_differs", "detail": differs, "receipt": None, "retriable": False,
            }
        )  # fmt: skip
    return said.about(reference)


async def _connection(session: AsyncSession, attempt: PayoutAttempt | None) -> Connection | None:
    return None if attempt is None else await partner_admin.find_connection(session, attempt.partner_id, PROVIDER)


async def _lives(session: AsyncSession, workflow_id: str) -> bool:
    saga = await saga_rows.of_workflow(session, workflow_id)
    return saga is not None and saga.ended_at is None


async def _learn(
    session: AsyncSession,
    item: InboxItem,
    news: _News,
    attempt: PayoutAttempt,
    connection: Connection,
    report: Report,
    balances: dict[str, Money],
) -> None:
    """What a report says beside the payout: that our credential is at fault, and how much is left on the accounts. Only
    while the payout is open: of a saga that has ended, a report changes nothing but the record."""
    if report.operator_needed:
        # Before the next send: one stale password fails, then locks, a whole batch (SCARS).
        sent_at = attempt.created_at if news.name == "result" else None
        await blocked.block(session, connection, report.detail, sent_at=sent_at)
    if balances:
        told_at = min(report.happened_at or item.received_at, item.received_at)
        await provider_balances.tell(session, attempt.partner_id, PROVIDER, balances, told_at)


async def _give_balance_check(client: Client, item: InboxItem, rpc_timeout: timedelta) -> str:
    told = BalanceTold.model_validate(item.report)
    return await connection_checks.give(client, item.workflow_id or "", item.reference, told, rpc_timeout=rpc_timeout)


READERS: Final = {
    "result": read_payout_news, "timeout": read_payout_news, "status": read_payout_news, "prompt": read_prompt_news,
    "balance": read_balances, "confirmation": read_confirmation,
}  # fmt: skip
GIVERS: Final = {"balance_check": _give_balance_check}
