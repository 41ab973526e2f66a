"""The wallet's side of a top-up: credited once per bank transaction."""

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.lending.wallet_notices import notify_if_low
from activities.saga.records import end_row
from core.errors import Conflict
from core.money import Money
from ledger import chart
from ledger.posting import post
from ledger.transfers import Post
from models.messages.connections.bank import BankSettings
from models.messages.lending.wallet_top_up import CreditWallet, EndTopUp, WalletCredited
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.incoming_payment import IncomingPayment
from notices.outbox import notify_partner
from store.database import Database
from store.platform import partners, people
from store.saga import incoming, prompts, saga_rows


@dataclass(frozen=True)
class TopUps:
    """Every method may be repeated: keys, and rows that an ended saga no longer changes."""

    database: Database
    top_up_url: str = ""

    @activity.defn(name="top_ups.credit")
    async def credit(self, order: CreditWallet) -> WalletCredited:
        """Books the payment into the wallet under a key of the payment's own: whatever announces it, it is booked once.

        Raises Conflict (code "currency_differs") for money in another currency than the wallet's.
        """
        request = order.request
        async with self.database.transaction() as session:
            partner = await partners.get(session, request.partner_id)
            payment = await self._payment(session, order)
            amount = Money(payment.amount_minor, payment.currency)
            holder = await incoming.claim(session, payment.id, request.workflow_id)
            if holder != request.workflow_id:
                return WalletCredited(ours=False, claimed_by=holder, amount=amount)
            if payment.currency != partner.currency:
                raise Conflict("The money is in another currency than the wallet.", code="currency_differs")
            row = await saga_rows.lock_living(session, TopUp, request.top_up_id)
            if row is not None:
                await self._close(session, order, payment)
            wallet = chart.partner_wallet(partner.id, partner.currency)
            (posted,) = await post(
                session,
                Post(
                    f"incoming/{payment.id}:credit",
                    debit=chart.bank_account(payment.account, partner.currency),
                    credit=wallet,
                    amount=amount,
                    reason="top-up",
                    happened_at=payment.happened_at,
                    group=request.workflow_id,
                    note=f"bank transaction {payment.external_id}",
                ),
            )
            after = posted.balance_of(wallet)
            await notify_if_low(session, partner, request.workflow_id, after.available, top_up_url=self.top_up_url)
            await notify_partner(
                session, "top_up_received", key=f"incoming/{payment.id}:credited",
                contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                workflow_id=request.workflow_id,
                facts={
                    "amount": str(amount), "balance": str(after.available),
                    "reference": request.reference or payment.reference or "-", "bank_reference": payment.external_id,
                },
            )  # fmt: skip
        return WalletCredited(ours=True, claimed_by=request.workflow_id, amount=amount)

    async def _payment(self, session: AsyncSession, order: CreditWallet) -> IncomingPayment:
        """The row of the payment; an operator's word makes one, under the bank's own id, so that a push that comes after
        all finds it taken."""
        collected = order.collected
        if collected.incoming_id is not None:
            found = await incoming.get(session, collected.incoming_id)
            assert found is not None
            return found
        settings = await partners.connection(session, order.request.partner_id, "bank")
        told = AnnouncedPayment(
            partner_id=order.request.partner_id,
            provider="bank",
            external_id=collected.receipt,
            account=BankSettings.model_validate(settings.settings).wallet_account,
            amount=collected.amount,
            reference=order.request.reference or "",
            happened_at=collected.paid_at,
            channel="statement",
        )
        try:
            return await incoming.record(session, told)
        except Conflict:
            # The bank announced it with another amount or account: its evidence outranks a person's word.
            announced = await incoming.of_external(session, told.partner_id, "bank", told.external_id)
            assert announced is not None
            return announced

    async def _close(self, session: AsyncSession, order: CreditWallet, payment: IncomingPayment) -> None:
        request = order.request
        amount = Money(payment.amount_minor, payment.currency)
        names = await people.names(session, order.decided_by)
        decided = f" Decided by {' and '.join(names)}." if names else ""
        await prompts.finish(session, request.prompt.leg_id if request.prompt else "-", "paid")
        await end_row(
            session,
            request.workflow_id,
            stage="completed",
            line="credited",
            text=f"{amount} credited for bank transaction {payment.external_id}.{decided}",
            tone="good",
            resolution="the money is credited",
            facts={"bank_reference": payment.external_id, "amount": amount.amount},
            incoming_id=payment.id,
            bank_reference=payment.external_id,
            credited_minor=payment.amount_minor,
        )

    @activity.defn(name="top_ups.end")
    async def end(self, order: EndTopUp) -> None:
        """The saga ends without a credit of its own; the partner hears of it unless it asked for it."""
        request = order.request
        async with self.database.transaction() as session:
            if await saga_rows.lock_living(session, TopUp, request.top_up_id) is None:
                return
            await prompts.finish(session, request.prompt.leg_id if request.prompt else "-", "failed", code=order.code)
            await end_row(
                session,
                request.workflow_id,
                stage=order.ending,
                line="ended",
                text=f"Ended without a credit: {order.detail}",
                tone="warning",
                resolution=order.code,
                code=order.code,
                detail=order.detail,
            )
            # What another saga credited has come, and that one tells of it.
            if order.ending in ("expired", "failed") and order.code != "credited_elsewhere":
                await notify_partner(
                    session, "top_up_expired", key=f"{request.workflow_id}:ended",
                    contacts=await partners.contacts(session, request.partner_id), partner_id=request.partner_id,
                    workflow_id=request.workflow_id,
                    facts={"amount": str(request.amount), "reference": request.reference or "-"},
                )  # fmt: skip
