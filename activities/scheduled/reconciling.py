"""A partner's day against M-Pesa's list and the bank's statement, and what frames the comparison: its row, its end, and which
days are due."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy

from activities.clients.connections import Connections
from activities.scheduled import listing_checks as checks
from core.clock import local_date, utc_now
from core.errors import NotAllowed, Rejected
from core.money import Money
from ledger import chart
from ledger.periods import balance_by
from models.messages.reconciliation import (
    ComparisonsStarted,
    DayCompared,
    DayOfPartner,
    Difference,
    ReconcileDay,
    RowsChecked,
)
from models.tables.platform.partner import Partner
from providers.banking import BankEntry, bank_day, closing_balance
from store.database import Database
from store.platform import partner_admin, partners, reconciliations
from store.saga import listed, payouts
from temporal.queues import FLOWS_QUEUE

# M-Pesa keeps its list for 48 hours; an hour less, so that its clock and ours may differ.
_LISTED_FOR: Final = timedelta(hours=47)
_LIST_LAGS: Final = timedelta(minutes=1)
# The day is over for this long before it is compared: reports and lines of its last minutes are in by then.
_SETTLES: Final = timedelta(hours=3)
_MOST_RUNS: Final = 4
_LOST_AFTER: Final = timedelta(hours=6)
_MOST_PARTNERS: Final = 10_000
# A line of the day's end may stand under the next day, and an instruction of the day before settle on it.
_AROUND: Final = timedelta(days=2)


@dataclass(frozen=True)
class Reconciling:
    """Reads, and writes what it found under keys: every method may be repeated."""

    database: Database
    connections: Connections
    client: Client

    @activity.defn(name="reconciliation.start_due")
    async def start_due(self) -> ComparisonsStarted:
        """Begins a comparison for every active partner whose last day is over and not compared yet."""
        async with self.database.transaction() as session:
            active = [
                one
                for one in await partner_admin.page(session, only=None, before=None, limit=_MOST_PARTNERS)
                if one.status == "active"
            ]
            orders = [order for one in active if (order := await _due(session, one)) is not None]
        for order in orders:
            await self.client.start_workflow(
                "DailyReconciliation",
                order,
                id=f"daily-reconciliation/{order.partner_id}/{order.day}",
                task_queue=FLOWS_QUEUE,
                priority=Priority(fairness_key=order.partner_id),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                static_summary=f"Comparison of {order.day}",
            )
        return ComparisonsStarted(started=len(orders))

    @activity.defn(name="reconciliation.begin")
    async def begin(self, order: ReconcileDay) -> DayOfPartner:
        """The day's row, running. Today is compared as far as it has gone, if it is named. Raises NotAllowed (code
        "day_ahead") for a day that has not begun."""
        async with self.database.transaction() as session:
            partner = await partners.get(session, order.partner_id)
            day = order.day or local_date(utc_now(), partner.timezone) - timedelta(days=1)
            since, until = _bounds(day, partner.timezone)
            if since > utc_now():
                raise NotAllowed("That day has not begun.", code="day_ahead")
            reconciliation_id = await reconciliations.begin(session, partner.id, day)
        return DayOfPartner(
            reconciliation_id=reconciliation_id,
            partner_id=partner.id,
            day=day,
            since=since,
            until=min(until, utc_now()),
            currency=partner.currency,
        )

    @activity.defn(name="reconciliation.finish")
    async def finish(self, order: DayCompared) -> None:
        async with self.database.transaction() as session:
            await reconciliations.finish(session, order.of.reconciliation_id, order.parts)

    # ------------------------------------------------------------------------------------------------------------- M-Pesa

    @activity.defn(name="reconciliation.mpesa")
    async def mpesa(self, of: DayOfPartner) -> RowsChecked:
        """M-Pesa's list of customers' payments, and what it reported of payouts. Raises Rejected (code "too_old") for a day
        that its list does not hold any more, or ("list_empty") if it shows none of what our books have of the day."""
        if of.since < utc_now() - _LISTED_FOR:
            raise Rejected("M-Pesa's list does not hold that day any more.", code="too_old")
        async with self.database.transaction() as session:
            daraja = await self.connections.daraja(session, of.partner_id)
        pulled = await daraja.pull_payments(of.since, min(utc_now(), of.until + timedelta(minutes=10)))
        seen = [one for one in pulled.payments if of.since <= one.happened_at < of.until]
        ids = [one.external_id for one in pulled.payments]
        async with self.database.transaction() as session:
            before = await reconciliations.open_subjects(session, of.partner_id, "mpesa")
            known = await listed.named(session, of.partner_id, "daraja", ids)
            ours = await listed.came_in(
                session, of.partner_id, "daraja", of.since, min(of.until, utc_now() - _LIST_LAGS)
            )
            # What came by another short code, or is known by its prompt's callback alone, is in no list.
            accounts = {one.account for one in pulled.payments}
            there = [row for row in ours if row.account in accounts]
            if ours and not pulled.payments:
                raise Rejected("M-Pesa's list shows none of the day's payments.", code="list_empty")
            reports = await listed.reported_paid(session, of.partner_id, "daraja", of.since, of.until)
            found = [
                *checks.payments(of.partner_id, seen, known),
                *checks.unlisted(of.partner_id, "daraja", "M-Pesa", there, ids),
                *checks.reported(of.partner_id, reports),
            ]
            looked_at = {
                *(checks.subject_of("daraja", one.external_id, what) for one in seen for what in ("", "amount")),
                *(checks.subject_of("daraja", row.external_id, "unlisted") for row in there),
                *(f"daraja:reported:{reference}" for reference, *_ in reports),
                *await _known_now(session, of.partner_id, "daraja", before),
            }
            await reconciliations.settle(
                session, of.partner_id, "mpesa", of.day, looked_at=looked_at, found=found
            )  # fmt: skip
        return RowsChecked(seen=len(seen) + len(reports), different=len(found))

    # --------------------------------------------------------------------------------------------------------------- bank

    @activity.defn(name="reconciliation.bank")
    async def bank(self, of: DayOfPartner) -> RowsChecked:
        """Each account at the bank: every line of the day is explained by our books, everything in them is a line, and what
        lies there is what they say."""
        async with self.database.transaction() as session:
            bank, settings = await self.connections.bank(session, of.partner_id)
        seen, found, looked_at = 0, list[Difference](), set[str]()
        entries: list[BankEntry] = []
        whole = True
        for account in dict.fromkeys((settings.wallet_account, settings.b2c_account)):
            statement = await bank.statement(account, *_around(of))
            whole = whole and not statement.unreadable
            entries += statement.entries
            of_day = [one for one in statement.entries if of.since <= one.value_time < of.until]
            seen += len(of_day)
            async with self.database.transaction() as session:
                looked_at |= {checks.subject_of("bank", checks.line_name(one)) for one in of_day}
                found += [
                    checks.unknown_line(of.partner_id, one) for one in await self._unexplained(session, of, of_day)
                ]
                if (compared := await self._balance(session, of, account, statement.entries)) is not None:
                    looked_at.add(f"bank:balance:{account}")
                    found += compared
        async with self.database.transaction() as session:
            if whole:  # a line that cannot be read may be the one that is missing
                ours = await listed.came_in(session, of.partner_id, "bank", of.since, of.until)
                looked_at |= {checks.subject_of("bank", row.external_id, "unlisted") for row in ours}
                names = [one.bank_transaction_id for one in entries]
                found += checks.unlisted(of.partner_id, "bank", "The bank", ours, names)
            before = await reconciliations.open_subjects(session, of.partner_id, "bank")
            looked_at |= await _known_now(session, of.partner_id, "bank", before)
            await reconciliations.settle(session, of.partner_id, "bank", of.day, looked_at=looked_at, found=found)
        return RowsChecked(seen=seen, different=len(found))

    async def _unexplained(self, session: AsyncSession, of: DayOfPartner, entries: list[BankEntry]) -> list[BankEntry]:
        credits = [one.bank_transaction_id for one in entries if one.direction == "credit"]
        came_in = await listed.named(session, of.partner_id, "bank", credits)
        sent = await listed.instructions(session, of.partner_id, "bank", of.since - _AROUND, of.until + _AROUND)
        left = checks.unexplained(entries, came_in, sent)
        # Instructions of long ago come back too; and what a person was shown already is no news.
        rest: list[BankEntry] = []
        for one in left:
            behind = await payouts.behind(session, of.partner_id, one.narration)
            if behind is None or Money(behind.amount_minor, behind.currency) != one.amount:
                rest.append(one)
        shown = await listed.shown_to_people(session, [_case_key(of, one) for one in rest])
        return [one for one in rest if _case_key(of, one) not in shown]

    async def _balance(
        self, session: AsyncSession, of: DayOfPartner, account: str, entries: list[BankEntry]
    ) -> list[Difference] | None:
        """None where the two cannot be compared: the bank does not say, or something is on its way."""
        told = closing_balance([one for one in entries if one.value_time < of.until])
        if told is None or await listed.in_flight(session, of.partner_id, "bank"):
            return None
        books = await balance_by(session, chart.bank_account(account, told.currency), of.until)
        before_us = await reconciliations.baseline(session, of.partner_id, account, told - books, of.day)
        return checks.balance(of.partner_id, account, told, books, before_us)


def _case_key(of: DayOfPartner, entry: BankEntry) -> str:
    """Of the case that a credit gets which no wallet takes (`inbound/bank_credits.py`)."""
    return f"credit:{of.partner_id}:{entry.bank_transaction_id}"[:300]


async def _due(session: AsyncSession, partner: Partner) -> ReconcileDay | None:
    day = local_date(utc_now() - _SETTLES, partner.timezone) - timedelta(days=1)
    connected = [one for one in await partner_admin.connections(session, partner.id) if one.status != "unproven"]
    if not connected or partner.created_at >= _bounds(day, partner.timezone)[1]:
        return None
    is_due = await reconciliations.due(session, partner.id, day, at_most=_MOST_RUNS, wait=_LOST_AFTER)
    return ReconcileDay(partner_id=partner.id, day=day) if is_due else None


async def _known_now(session: AsyncSession, partner_id: str, provider: str, subjects: list[str]) -> set[str]:
    """Those movements of earlier days, once unknown, that our books have by now."""
    ids = {one.removeprefix(f"{provider}:"): one for one in subjects}
    known = await listed.named(session, partner_id, provider, list(ids))
    return {subject for name, subject in ids.items() if name in known}


def _bounds(day: date, timezone: str) -> tuple[datetime, datetime]:
    zone = ZoneInfo(timezone)
    begin, end = (datetime.combine(one, time.min, zone) for one in (day, day + timedelta(days=1)))
    return begin.astimezone(UTC), end.astimezone(UTC)


def _around(of: DayOfPartner) -> tuple[date, date]:
    """The bank's days of which lines are read."""
    return bank_day(of.since - timedelta(days=1)), min(bank_day(of.until + timedelta(days=1)), bank_day(utc_now()))
