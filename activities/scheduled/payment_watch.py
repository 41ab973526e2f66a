"""Payments that came in, seen from the other side: pulled where announcements were lost, checked before they are made,
told to the customer when somebody else recorded them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.clients.connections import Connections
from activities.lending.customer_collection import find_account, notify_payment, owner_phone
from core.clock import utc_now
from core.errors import Conflict, NotFound
from inbound.delivery import Desk, deliver
from inbound.money_in import announcement
from models.messages.inbound import CaseFound, Reading
from models.messages.lending.customer_collection import PlacedPart
from models.messages.lending.payment_watch import (
    AccountChecked,
    CheckAccount,
    PaymentRecorded,
    PaymentsPulled,
    PaymentTold,
    PullPayments,
)
from models.messages.saga.arrived_payments import AnnouncedPayment
from providers.collecting import OddRow, PaymentSeen
from store.database import Database
from store.lending import customer_collection
from store.platform import inbox, partners
from store.saga import incoming

# M-Pesa keeps the list for 48 hours (daraja.md 5); an hour less, so that its clock and ours may differ.
_LOOK_BACK: Final = timedelta(hours=47)


@dataclass(frozen=True)
class PaymentWatching:
    database: Database
    connections: Connections
    client: Client

    @activity.defn(name="payments.pull")
    async def pull(self, order: PullPayments) -> PaymentsPulled:
        """Reads the short code's list and puts into the inbox what no channel has announced, and what no saga has taken
        although one did. From there it is delivered like any confirmation: a saga that does not answer holds up no other
        payment. Every pull overlaps with those before, so one that fails loses nothing."""
        async with self.database.transaction() as session:
            daraja = await self.connections.daraja(session, order.partner_id)
        now = utc_now()
        pulled = await daraja.pull_payments(now - _LOOK_BACK, now)
        seen = pulled.payments
        async with self.database.transaction() as session:
            ids = [one.external_id for one in seen]
            known = await incoming.known(session, order.partner_id, "daraja", ids)
            again = await incoming.unfinished(session, order.partner_id, "daraja", ids)
            missed = [one for one in seen if one.external_id not in known or one.external_id in again]
            kept = [await inbox.store(session, announcement(_announced(order.partner_id, one))) for one in missed]
            for row in pulled.odd:
                await _tell_odd(session, order.partner_id, row)
        new = [inbox_id for inbox_id, is_new in kept if is_new]
        desk = Desk(self.client, self.database, self.connections.box)
        for number, inbox_id in enumerate(new):
            await deliver(desk, inbox_id)
            activity.heartbeat(number)
        return PaymentsPulled(seen=len(seen), recovered=len(new))

    @activity.defn(name="payments.check_account")
    async def check_account(self, order: CheckAccount) -> AccountChecked:
        """Whether a payment that names this account could be placed. An ambiguous number is known: a person decides then."""
        async with self.database.transaction() as session:
            behind = await customer_collection.account_behind(
                session, order.partner_id, order.account_ref.strip().upper()
            )
            fineract = await self.connections.fineract(session, order.partner_id)
        if behind is not None:
            return AccountChecked(known=True)
        try:
            await find_account(fineract, order.account_ref)
        except NotFound:
            return AccountChecked(known=False)
        except Conflict:
            return AccountChecked(known=True)
        return AccountChecked(known=True)

    @activity.defn(name="payments.notify_recorded")
    async def notify_recorded(self, order: PaymentRecorded) -> PaymentTold:
        """A payment that Fineract says it recorded: read anew, and told to the customer unless it is ours, which its own
        saga tells. Nothing is ever posted from here (A11)."""
        async with self.database.transaction() as session:
            partner = await partners.get(session, order.partner_id)
            fineract = await self.connections.fineract(session, order.partner_id)
        try:
            recorded = await fineract.recorded_payment(order.kind, order.account_id, order.transaction_id)
        except NotFound:
            return PaymentTold(told=False, why="no such payment")
        if recorded.reversed:
            return PaymentTold(told=False, why="reversed")
        receipt = (recorded.receipt or "").partition("-")[0]
        account = recorded.account
        async with self.database.transaction() as session:
            if receipt and await incoming.known(session, partner.id, "daraja", [receipt]):
                return PaymentTold(told=False, why="posted by us")
        phone = await owner_phone(fineract, partner, account.client_id) if account.client_id is not None else None
        if phone is None:
            return PaymentTold(told=False, why="no phone")
        part = PlacedPart(
            kind=account.kind,
            account_id=account.account_id,
            account_no=account.account_no,
            client_id=account.client_id,
            client_name=account.client_name,
            amount=recorded.amount,
        )
        async with self.database.transaction() as session:
            await notify_payment(
                session, partner, part, recorded.transaction_id,
                receipt=recorded.receipt or str(recorded.transaction_id),
                left=account.outstanding if account.kind == "loan" else account.balance,
                phone=phone,
                workflow_id=f"payment-notice/{partner.id}/{account.kind}/{account.account_id}/{recorded.transaction_id}",
            )  # fmt: skip
        return PaymentTold(told=True, why="told")


async def _tell_odd(session: AsyncSession, partner_id: str, row: OddRow) -> None:
    """A row that is perhaps a customer's payment and cannot be taken for one: shown to a person once, whatever becomes of
    the case."""
    if row.reason == "not_a_payment":
        return
    reading = Reading(
        provider="daraja",
        kind="unreadable",
        external_id=f"{partner_id}:pulled-row:{row.row_id}",
        body={"reason": row.reason, "detail": row.detail},
        report={},
        partner_id=partner_id,
        outcome="unclaimed",
        case=CaseFound(
            kind="payment_row_unreadable",
            summary=f"M-Pesa's list of payments has a row that cannot be taken for one: {row.detail}.",
            evidence={"reason": row.reason},
        ),
    )
    await inbox.store(session, reading)


def _announced(partner_id: str, seen: PaymentSeen) -> AnnouncedPayment:
    return AnnouncedPayment(
        partner_id=partner_id,
        provider="daraja",
        external_id=seen.external_id,
        account=seen.account,
        amount=seen.amount,
        reference=seen.reference,
        payer_name=seen.payer_name,
        payer_phone=seen.payer_phone,
        happened_at=seen.happened_at,
        channel="pull",
    )
