"""A relay in our books: the payment taken once, and what became of it."""

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.saga.records import end_row
from core.errors import Conflict
from core.money import Money
from core.msisdn import Msisdn
from models.messages.connections.tin import TinSettings
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.payouts import Paid
from models.messages.toys.relay import EndRelay, MoneyTaken, TakeMoney, TurnBack
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.toys.relay import Relay
from store.database import Database
from store.platform import partners
from store.saga import incoming, payouts, prompts, saga_rows, timeline


@dataclass(frozen=True)
class Relays:
    """Every method may be repeated: keys, and rows that an ended saga no longer changes."""

    database: Database

    @activity.defn(name="relays.take")
    async def take(self, order: TakeMoney) -> MoneyTaken:
        """Makes the payment this relay's, unless another has it."""
        request = order.request
        async with self.database.transaction() as session:
            payment = await self._payment(session, order)
            holder = await incoming.claim(session, payment.id, request.workflow_id)
            ours = holder == request.workflow_id
            amount = Money(payment.amount_minor, payment.currency)
            if ours and await saga_rows.lock_living(session, Relay, request.relay_id) is not None:
                await timeline.write(
                    session, request.workflow_id, "received", f"{amount} came in, receipt {payment.external_id}.",
                    tone="good", receipt=payment.external_id, resolved_by=order.collected.resolved_by or "provider",
                )  # fmt: skip
                await prompts.finish(session, request.prompt.leg_id if request.prompt else "-", "paid")
                await saga_rows.change(
                    session, request.workflow_id, stage="paying", incoming_id=payment.id, receipt=payment.external_id
                )
        assert payment.payer_phone is not None
        return MoneyTaken(ours=ours, claimed_by=holder, amount=amount, payer=Msisdn(payment.payer_phone))

    async def _payment(self, session: AsyncSession, order: TakeMoney) -> IncomingPayment:
        """The row of the payment. What a prompt's callback or a person told gets its row here, so that an announcement
        which comes after all finds it taken."""
        request, collected = order.request, order.collected
        if collected.incoming_id is not None:
            found = await incoming.get(session, collected.incoming_id)
            assert found is not None
            return found
        assert request.prompt is not None
        connection = await partners.connection(session, request.partner_id, "tin")
        told = AnnouncedPayment(
            partner_id=request.partner_id, provider="tin", external_id=collected.receipt,
            account=TinSettings.model_validate(connection.settings).account, amount=collected.amount,
            reference=request.code or "", payer_phone=request.prompt.msisdn, happened_at=collected.paid_at,
            channel="callback",
        )  # fmt: skip
        try:
            return await incoming.record(session, told)
        except Conflict:
            # It was announced with another amount: the tin's own evidence outranks a callback's and a person's word.
            announced = await incoming.of_external(session, told.partner_id, "tin", told.external_id)
            assert announced is not None
            return announced

    @activity.defn(name="relays.turn_back")
    async def turn_back(self, order: TurnBack) -> None:
        """Closes the payout that is known to have failed, and says that the money goes back."""
        request, failure = order.request, order.failure
        async with self.database.transaction() as session:
            if failure.reference:
                await payouts.finish(
                    session, failure.reference, "failed", code=failure.code, detail=failure.detail[:500]
                )
            await timeline.write(
                session, request.workflow_id, "turned_back", f"The money goes back to its payer: {failure.detail}",
                tone="bad", code=failure.code,
            )  # fmt: skip
            await saga_rows.change(
                session, request.workflow_id, stage="returning", reason_code=failure.code, reason=failure.detail[:500]
            )

    @activity.defn(name="relays.end")
    async def end(self, order: EndRelay) -> None:
        """The end of the row; what was paid last is closed with it."""
        request, paid, completed = order.request, order.paid, order.ending == "completed"
        async with self.database.transaction() as session:
            if await saga_rows.lock_living(session, Relay, request.relay_id) is None:
                return
            if paid is not None:
                await payouts.finish(session, paid.reference, "paid", receipt=paid.receipt, paid_at=paid.paid_at)
            elif request.prompt is not None:
                await prompts.finish(session, request.prompt.leg_id, "failed", code=order.code)
            await end_row(
                session,
                request.workflow_id,
                stage=order.ending,
                line="ended",
                text=_last_words(order),
                tone="good" if completed else "warning",
                resolution=order.code or "the money has arrived",
                code=order.code,
                detail=order.detail,
                facts=_facts(paid),
                **({"paid_receipt" if completed else "returned_receipt": paid.receipt} if paid else {}),
            )


def _last_words(order: EndRelay) -> str:
    if order.paid is None:
        return f"Ended, and nothing was passed on: {order.detail}"
    where = "The recipient has" if order.ending == "completed" else "The payer has back"
    return f"{where} {order.paid.amount}, receipt {order.paid.receipt}."


def _facts(paid: Paid | None) -> dict[str, str]:
    return {"receipt": paid.receipt, "resolved_by": paid.resolved_by or "provider"} if paid else {}
