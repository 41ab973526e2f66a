"""The bank's statement, read for credits that no push has told of: a push that was lost is never sent again by some banks."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.clients.connections import Connections
from core.clock import utc_now
from core.crypto import sha256_hex
from inbound import bank_credits
from inbound.delivery import Desk, deliver
from models.messages.connections.bank import BankSettings
from models.messages.inbound import CaseFound, Reading
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.payment_pulls import PaymentsPulled, PullPayments
from providers.banking import BankEntry, bank_day
from providers.collecting import OddRow
from store import pulse
from store.database import Database
from store.platform import inbox
from store.saga import incoming

# Read hourly, so that each credit is seen some fifty times; two days bridge an outage, and a day's borders in any zone.
_LOOK_BACK: Final = timedelta(days=2)


@dataclass(frozen=True)
class StatementPulling:
    """Runs on the bank's own queue."""

    database: Database
    connections: Connections
    client: Client

    @activity.defn(name="payments.pull_statement")
    async def pull(self, order: PullPayments) -> PaymentsPulled:
        """Reads the accounts that pushes tell of, and takes in what no channel has announced. May be repeated."""
        async with self.database.transaction() as session:
            bank, settings = await self.connections.bank(session, order.partner_id)
        now = utc_now()
        start, end = bank_day(now - _LOOK_BACK), bank_day(now)
        desk = Desk(self.client, self.database, self.connections.box)
        seen = recovered = 0
        for account in dict.fromkeys((settings.wallet_account, settings.b2c_account)):
            statement = await bank.statement(account, start, end)
            credits = [entry for entry in statement.entries if entry.direction == "credit"]
            new = await self._keep(order.partner_id, settings, credits)
            await self._keep_unreadable(order.partner_id, account, statement.unreadable)
            for number, inbox_id in enumerate(new):
                await deliver(desk, inbox_id)
                activity.heartbeat(account, number)
            seen, recovered = seen + len(credits), recovered + len(new)
        async with self.database.transaction() as session:
            await pulse.watched(session, "bank", order.partner_id)
        return PaymentsPulled(seen=seen, recovered=recovered)

    async def _keep(self, partner_id: str, bank: BankSettings, credits: list[BankEntry]) -> list[str]:
        """The inbox items of those that nobody has told of."""
        async with self.database.transaction() as session:
            ids = [one.bank_transaction_id for one in credits]
            known = await incoming.known(session, partner_id, "bank", ids)
            kept: list[str] = []
            alike = Counter[str]()
            for one in credits:
                if not one.bank_transaction_id:
                    line = f"{one.account} {one.value_time:%Y%m%d} {one.amount} {one.narration}"
                    alike[line] += 1
                    await _keep_unnamed(session, partner_id, one, sha256_hex(f"{line} {alike[line]}".encode())[:32])
                elif one.bank_transaction_id not in known:
                    body = {"statement_line": one.bank_transaction_id, "account": one.account}
                    credit = _announced(partner_id, one)
                    reading = await bank_credits.read(session, credit, bank, body=body)
                    inbox_id, is_new = await inbox.store(session, reading)
                    if is_new and reading.outcome == "waiting":
                        kept.append(inbox_id)
        return kept

    async def _keep_unreadable(self, partner_id: str, account: str, rows: list[OddRow]) -> None:
        """Shown to a person, each once, whatever becomes of its case."""
        async with self.database.transaction() as session:
            for row in rows:
                reading = Reading(
                    provider="bank",
                    kind="unreadable",
                    external_id=f"{partner_id}:unreadable-line:{account}:{row.row_id}",
                    body={"account": account, "detail": row.detail},
                    report={},
                    partner_id=partner_id,
                    outcome="unclaimed",
                    case=CaseFound(
                        kind="statement_line_unreadable",
                        summary=f"A line of a bank statement cannot be read: {row.detail}.",
                        evidence={"account": account},
                    ),
                )
                await inbox.store(session, reading)


def _announced(partner_id: str, entry: BankEntry) -> AnnouncedPayment:
    return AnnouncedPayment(
        partner_id=partner_id,
        provider="bank",
        external_id=entry.bank_transaction_id,
        account=entry.account,
        amount=entry.amount,
        reference=entry.narration,
        happened_at=entry.value_time,
        channel="statement",
    )


async def _keep_unnamed(session: AsyncSession, partner_id: str, entry: BankEntry, digest: str) -> None:
    """A line without the bank's id cannot be told from a push of the same money: shown to a person, once."""
    reading = Reading(
        provider="bank",
        kind="unreadable",
        external_id=f"{partner_id}:line:{digest}",
        body={"account": entry.account, "amount": str(entry.amount)},
        report={},
        partner_id=partner_id,
        outcome="unclaimed",
        case=CaseFound(
            kind="credit_unnamed",
            summary=f"A credit of {entry.amount} on a statement names no transaction; it must be matched by hand.",
            evidence={"day": f"{entry.value_time:%Y-%m-%d}"},
        ),
    )
    await inbox.store(session, reading)
