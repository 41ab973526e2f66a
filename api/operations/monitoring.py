"""Monitoring: how payments, wallets, messages, connections, queues and schedules are, for people at a glance."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Anyone, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import problems
from api.http.paging import PartnerFilter
from api.http.values import MoneyOut
from api.operations.attention import sight_of
from api.operations.monitoring_schemas import (
    ConnectionState,
    FloatState,
    MessagesOut,
    MonitoringOut,
    OutageOut,
    QueueOut,
    RateOut,
    ScheduleOut,
    ShortOut,
    WalletState,
)
from api.operations.unknown_outcomes_schemas import UnknownOutcomeOut
from core.clock import utc_now
from core.money import Money
from ledger.balances import Balance, balances
from models.kinds import PAYOUTS
from models.tables.platform.partner import Partner
from store.platform import messages_report, partner_admin, provider_balances
from store.platform.messages_report import MessageCount
from store.saga import attention, monitoring, unknown_outcomes
from store.saga.attention_sources import MISSED, Sight
from store.saga.monitoring import Calls, Line, Rate
from temporal import queue_states

router = APIRouter(prefix="/api/v1/monitoring", tags=["monitoring"], dependencies=KNOWN_PARAMETERS)

OUTAGE_OF: Final = 5  # calls in a row that failed
_MOST_LENDERS: Final = 500
_DAY: Final = timedelta(days=1)
_PATIENCE: Final = timedelta(seconds=2)
_SECOND: Final = timedelta(seconds=1)


@router.get("", responses=problems(404), summary="How things go: rates, balances, messages, connections, queues")
async def get_monitoring(services: ServicesDep, principal: Anyone, partner_id: PartnerFilter = None) -> MonitoringOut:
    """Of one lender or of all. Rates are of the last hour, day and week; calls of the last hour; messages of the last day."""
    return await look(services, principal, partner_id)


async def look(services: Services, principal: Principal, partner_id: str | None = None) -> MonitoringOut:
    """What the key may see. Raises NotFound for another's partner."""
    if partner_id is not None:
        principal.visible(partner_id)
    sight, now = sight_of(principal, partner_id), utc_now()
    of_house = principal.is_of_house and principal.may(PAYOUTS.scope("read"))
    queues = await queue_states.all_states(services.client, within=_PATIENCE) if of_house else []
    async with services.database.transaction() as session:
        known = {row.id: row for row in await _partners(session, sight)}
        names = {partner_id: row.name for partner_id, row in known.items()}
        wallets = await _wallets(session, sight, known) if principal.may("wallets:read") else {}
        lines = await monitoring.lines(session, sight.partner_id) if principal.may("wallets:read") else []
        called = await monitoring.calls(session, sight.partner_id) if sight.connections else []
        rates = await monitoring.rates(session, partner_id=sight.partner_id, of_kinds=sight.kinds)
        unknown = await _oldest_unknown(session, sight) if sight.loose else []
        return MonitoringOut(
            at=now,
            rates=[_rate(rate) for rate in rates],
            wallets=[_wallet(known[partner], found) for partner, found in wallets.items()],
            floats=await _floats(session, sight, names) if principal.may("wallets:read") else [],
            short=[_short(line, wallets, names) for line in lines],
            messages=await _messages(session, services, sight) if sight.loose else [],
            connections=await _connections(session, sight, called, names) if sight.connections else [],
            outages=_outages(called, names),
            queues=[
                QueueOut(
                    queue=one.queue, known=one.known, pollers=one.pollers, backlog=one.backlog,
                    oldest_seconds=one.oldest // _SECOND,
                )
                for one in queues
            ],
            schedules=await _schedules(session, sight) if sight.loose else [],
            problems=dict(await attention.counts(session, sight)),
            oldest_unknown=next((UnknownOutcomeOut.of(one, now) for one in unknown), None),
        )  # fmt: skip


async def _partners(session: AsyncSession, sight: Sight) -> list[Partner]:
    return await partner_admin.page(session, only=sight.partner_id, before=None, limit=_MOST_LENDERS)


def _rate(rate: Rate) -> RateOut:
    ended = rate.completed + rate.failed
    return RateOut(
        kind=rate.kind, hours=rate.hours, completed=rate.completed, failed=rate.failed, cancelled=rate.cancelled,
        under_way=rate.under_way, success=round(rate.completed / ended, 4) if ended else None,
    )  # fmt: skip


async def _wallets(session: AsyncSession, sight: Sight, known: Mapping[str, Partner]) -> dict[str, Balance]:
    """By partner, of those that have ever had something in it."""
    prefix = f"wallet:{sight.partner_id}:" if sight.partner_id else "wallet:"
    found: dict[str, Balance] = {}
    for one in await balances(session, prefix):
        partner_id = one.account_id.split(":")[1]
        if partner_id in known and known[partner_id].currency == one.currency:
            found[partner_id] = one
    return found


def _wallet(partner: Partner, found: Balance) -> WalletState:
    return WalletState(
        partner_id=partner.id, lender=partner.name, balance=MoneyOut.of(found.posted), held=MoneyOut.of(found.held),
        available=MoneyOut.of(found.available), alert=MoneyOut.of(Money(partner.low_balance_minor, found.currency)),
        low=found.available.minor < partner.low_balance_minor,
    )  # fmt: skip


async def _floats(session: AsyncSession, sight: Sight, names: Mapping[str, str]) -> list[FloatState]:
    return [
        FloatState(
            partner_id=row.partner_id, lender=names.get(row.partner_id), provider=row.provider, account=row.account,
            balance=MoneyOut.of(Money(row.amount_minor, row.currency)), told_at=row.told_at,
        )
        for row in await provider_balances.of_all(session, sight.partner_id, limit=_MOST_LENDERS)
    ]  # fmt: skip


def _short(line: Line, wallets: Mapping[str, Balance], names: Mapping[str, str]) -> ShortOut:
    currency = line.account_id.rpartition(":")[2]
    wallet = wallets.get(line.partner_id)
    needed, available = Money(line.needed_minor, currency), wallet.available if wallet else Money.zero(currency)
    short = Money(max(needed.minor - available.minor, 0), currency)
    return ShortOut(
        partner_id=line.partner_id, lender=names.get(line.partner_id), waiting=line.waiting, needed=MoneyOut.of(needed),
        available=MoneyOut.of(available), short=MoneyOut.of(short), since=line.since,
        says=f"short by {short} for {line.waiting} payment{'s' * (line.waiting != 1)}",
    )  # fmt: skip


async def _messages(session: AsyncSession, services: Services, sight: Sight) -> list[MessagesOut]:
    now = utc_now()
    counted = await messages_report.counts(
        session, partner_id=sight.partner_id, since=now - _DAY, until=now,
        silent_after=services.settings.sms.silent_after,
    )  # fmt: skip
    return [_of_channel(channel, counted) for channel in sorted({one.channel for one in counted})]


def _of_channel(channel: str, counted: Iterable[MessageCount]) -> MessagesOut:
    of = [one for one in counted if one.channel == channel]

    def number(state: str, delivery: str | None = None) -> int:
        return sum(one.number for one in of if one.state == state and delivery in (None, one.delivery))

    return MessagesOut(
        channel=channel, sent=number("sent"), delivered=number("sent", "delivered"),
        undelivered=number("sent", "failed"), silent=number("sent", "silent"),
        failed=number("failed") + number("expired"), unclear=number("unclear"), waiting=number("pending"),
    )  # fmt: skip


async def _connections(
    session: AsyncSession, sight: Sight, called: Sequence[Calls], names: Mapping[str, str]
) -> list[ConnectionState]:
    by_connection = {(one.partner_id, one.provider): one for one in called}
    shown = []
    for row in await monitoring.connections(session, sight.partner_id):
        calls = by_connection.get((row.partner_id, row.provider))
        shown.append(
            ConnectionState(
                partner_id=row.partner_id, lender=names.get(row.partner_id), provider=row.provider, status=row.status,
                checked_at=row.checked_at, detail=row.check_detail, calls=calls.calls if calls else 0,
                failed_calls=calls.failed if calls else 0, median_ms=calls.median_ms if calls else None,
                answered_at=calls.answered_at if calls else None,
            )
        )  # fmt: skip
    return shown


def _outages(called: Sequence[Calls], names: Mapping[str, str]) -> list[OutageOut]:
    """The newest calls of each, none of which was answered."""
    answered = {one.provider for one in called if one.answered_at is not None}
    return [
        OutageOut(
            partner_id=one.partner_id, lender=names.get(one.partner_id or ""), provider=one.provider,
            in_a_row=one.in_a_row, since=one.failing_since, last_failure=one.last_failure,
            everywhere=one.provider not in answered,
        )
        for one in called
        if one.in_a_row >= OUTAGE_OF and one.failing_since is not None
    ]  # fmt: skip


async def _schedules(session: AsyncSession, sight: Sight) -> list[ScheduleOut]:
    now = utc_now()
    return [
        ScheduleOut(
            schedule=row.name, partner_id=row.partner_id, every_seconds=row.every_seconds, ran_at=row.ran_at,
            late=now - row.ran_at > row.every_seconds * MISSED * _SECOND,
        )
        for row in await monitoring.pulses(session, sight.partner_id)
    ]  # fmt: skip


async def _oldest_unknown(session: AsyncSession, sight: Sight) -> list[unknown_outcomes.UnknownOutcome]:
    return await unknown_outcomes.page(
        session, before=utc_now() - attention.SILENT_AFTER, partner_id=sight.partner_id, limit=1
    )
