"""Payments that somebody recorded in the lender's Fineract, told to the customer."""

from dataclasses import dataclass

from temporalio import activity

from activities.clients.connections import Connections
from activities.lending.customer_collection import notify_payment, owner_phone
from core.errors import NotFound
from models.messages.lending.customer_collection import PlacedPart
from models.messages.lending.payment_notice import PaymentRecorded, PaymentTold
from store.database import Database
from store.platform import partners
from store.saga import incoming


@dataclass(frozen=True)
class PaymentNotices:
    database: Database
    connections: Connections

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
