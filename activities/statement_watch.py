"""The bank's statement, read for credits that no push has told of: a push that was lost is never sent again by some banks."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.connections import Connections
from core.clock import utc_now
from core.crypto import sha256_hex
from models.messages.base import Message
from models.messages.collections import AnnouncedPayment, PaymentsPulled, PullStatement
from providers.banking import BankEntry, bank_day
from providers.collecting import OddRow
from store import cases, inbox, incoming
from store.database import Database
from temporal import bank_credits
from temporal.delivery import deliver

# Read hourly, so that each credit is seen some fifty times; two days bridge an outage, and a day's borders in any zone.
_LOOK_BACK: Final = timedelta(days=2)
_DELIVERY_TIMEOUT: Final = timedelta(seconds=5)


@dataclass(frozen=True)
class StatementWatching:
    """Runs on the bank's own queue."""

    database: Database
    connections: Connections
    client: Client

    @activity.defn(name="payments.pull_statement")
    async def pull(self, order: PullStatement) -> PaymentsPulled:
        """Reads the accounts that pushes tell of, and takes in what no channel has announced. May be repeated."""
        async with self.database.transaction() as session:
            bank, settings = await self.connections.bank(session, order.partner_id)
        now = utc_now()
        start, end = bank_day(now - _LOOK_BACK), bank_day(now)
        seen = recovered = 0
        for account in dict.fromkeys((settings.wallet_account, settings.b2c_account)):
            statement = await bank.statement(account, start, end)
            credits = [entry for entry in statement.entries if entry.direction == "credit"]
            new = await self._keep(order.partner_id, settings.dialect, credits)
            await self._tell_unreadable(order.partner_id, account, statement.unreadable)
            for number, inbox_id in enumerate(new):
                await deliver(self.client, self.database, inbox_id, rpc_timeout=_DELIVERY_TIMEOUT)
                activity.heartbeat(account, number)
            seen, recovered = seen + len(credits), recovered + len(new)
        return PaymentsPulled(seen=seen, recovered=recovered)

    async def _keep(self, partner_id: str, dialect: str, credits: list[BankEntry]) -> list[str]:
        """The inbox items of those that nobody has told of."""
        async with self.database.transaction() as session:
            ids = [one.bank_transaction_id for one in credits]
            known = await incoming.known(session, partner_id, "bank", ids)
            kept, alike = [], Counter[str]()
            for one in credits:
                if not one.bank_transaction_id:
                    line = f"{one.account} {one.value_time:%Y%m%d} {one.amount} {one.narration}"
                    alike[line] += 1
                    await _keep_unnamed(session, partner_id, one, sha256_hex(f"{line} {alike[line]}".encode())[:32])
                elif one.bank_transaction_id not in known:
                    body = {"statement_line": one.bank_transaction_id, "account": one.account}
                    credit = _announced(partner_id, one)
                    kept.append(await bank_credits.keep(session, credit, dialect=dialect, body=body, source=None))
        return [inbox_id for inbox_id in kept if inbox_id is not None]

    async def _tell_unreadable(self, partner_id: str, account: str, rows: list[OddRow]) -> None:
        """Shown to a person, each once, whatever becomes of its case."""
        async with self.database.transaction() as session:
            for row in rows:
                external_id = f"{partner_id}:unreadable-line:{account}:{row.row_id}"
                inbox_id = await _keep_odd(session, partner_id, external_id, {"account": account, "detail": row.detail})
                if inbox_id is not None:
                    await cases.open_case(
                        session,
                        key=f"inbox:{inbox_id}",
                        kind="statement_line_unreadable",
                        summary=f"A line of a bank statement cannot be read: {row.detail}.",
                        evidence={"inbox_id": inbox_id, "account": account},
                        partner_id=partner_id,
                    )


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
    body = {"account": entry.account, "amount": str(entry.amount)}
    inbox_id = await _keep_odd(session, partner_id, f"{partner_id}:line:{digest}", body)
    if inbox_id is None:
        return
    await cases.open_case(
        session,
        key=f"inbox:{inbox_id}",
        kind="credit_unnamed",
        summary=f"A credit of {entry.amount} on a statement names no transaction; it must be matched by hand.",
        evidence={"inbox_id": inbox_id, "day": f"{entry.value_time:%Y-%m-%d}"},
        partner_id=partner_id,
    )


async def _keep_odd(session: AsyncSession, partner_id: str, external_id: str, body: dict[str, str]) -> str | None:
    """The inbox item of a line that books nothing by itself; None if it was kept before."""
    inbox_id, is_new = await inbox.store_report(
        session,
        provider="bank",
        kind="unreadable",
        external_id=external_id,
        workflow_id=None,
        reference="-",
        body=body,
        report=Message(),
        source=None,
        partner_id=partner_id,
    )
    if not is_new:
        return None
    await inbox.delivered(session, inbox_id, "unclaimed")
    return inbox_id
