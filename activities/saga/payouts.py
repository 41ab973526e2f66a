"""Money out by any rail: the instruction is written down before it leaves, and leaves once."""

from dataclasses import dataclass

from temporalio import activity

from activities.clients.callback_urls import CallbackUrls
from activities.clients.connections import Connections
from activities.saga.send_errors import block_if_needed, state_after
from core.crypto import CallbackRoute
from core.errors import KivukoError
from core.money import Money
from core.recovery import RecoveryWindow
from models.messages.saga.payouts import PayoutAccepted, PayoutQueried, QueryPayout, SendPayout
from models.messages.saga.reports import Report
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.ports import PayoutOrder, PayoutQuery, Unanswered
from store.database import Database
from store.saga import payouts, timeline


@dataclass(frozen=True)
class Payouts:
    """Runs on the provider's own queue, whose rate limit holds because nothing here is ever started eagerly."""

    database: Database
    connections: Connections
    urls: CallbackUrls
    recovery: tuple[RecoveryWindow, ...] = ()

    @activity.defn(name="payouts.send")
    async def send(self, order: SendPayout) -> PayoutAccepted:
        """Writes the attempt, commits, sends once. The caller gives it one attempt.

        Raises Rejected or Transient only if it is certain that nothing left now; everything else counts as maybe sent.
        What our rows know of the reference already is told instead of sending it. Where the provider's answer is final,
        `report` says so.
        """
        instruction, reference = order.instruction, order.reference
        async with self.database.transaction() as session:
            rail = await self.connections.payout_rail(session, instruction.provider, instruction.partner_id)
            account = rail.paying_account(instruction.destination)
            paid = await payouts.begin(session, order, account=account, recovery=self.recovery)
            if paid is not None:
                return _known_as_paid(paid)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:send",
                f"Sending {instruction.amount} to {instruction.to} through {rail.title}.",
                reference=reference, attempt=str(order.number),
            )  # fmt: skip
        route, urls = CallbackRoute(instruction.workflow_id, reference), self.urls.of(instruction.provider)
        try:
            accepted = await rail.send(
                PayoutOrder(
                    reference=reference,
                    to=instruction.destination,
                    amount=instruction.amount,
                    remarks=instruction.remarks,
                    result_url=urls.result(route),
                    timeout_url=urls.timeout(route),
                    send_by=order.send_by,
                )
            )
        except KivukoError as error:
            await self._mark_error(reference, error)
            await block_if_needed(self.database, instruction.partner_id, instruction.provider, error)
            raise
        async with self.database.transaction() as session:
            await payouts.mark(session, reference, "accepted", provider_reference=accepted.provider_reference)
            report = accepted.report and await payouts.with_own_receipt(session, accepted.report.about(reference))
        return PayoutAccepted(reference=reference, provider_reference=accepted.provider_reference, report=report)

    @activity.defn(name="payouts.query")
    async def query(self, order: QueryPayout) -> PayoutQueried:
        """Asks the provider what became of a reference. If no row of it was ever written it never left, and a fence makes
        sure that it never will."""
        instruction, reference = order.instruction, order.reference
        async with self.database.transaction() as session:
            rail = await self.connections.payout_rail(session, instruction.provider, instruction.partner_id)
            account = rail.paying_account(instruction.destination)
            if await payouts.fence(session, order, account=account, recovery=self.recovery):
                return PayoutQueried(never_sent=True)
            attempt = await payouts.get(session, reference)
            assert attempt is not None
            await payouts.query_next(session, reference, order.again_at)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:ask",
                f"No final report yet: asking {rail.title} what became of the payout.",
                tone="warning", reference=reference,
            )  # fmt: skip
        answer = await rail.query(
            PayoutQuery(
                reference=reference,
                to=instruction.destination,
                amount=instruction.amount,
                sent_at=attempt.created_at,
                changed_at=attempt.updated_at,
                answer_url=self.urls.of(instruction.provider).status(CallbackRoute(instruction.workflow_id, reference)),
                provider_reference=attempt.provider_reference,
            )
        )
        if isinstance(answer, Unanswered):
            return PayoutQueried(by_callback=answer is Unanswered.by_callback)
        async with self.database.transaction() as session:
            return PayoutQueried(report=await payouts.with_own_receipt(session, answer.about(reference)))

    async def _mark_error(self, reference: str, error: KivukoError) -> None:
        async with self.database.transaction() as session:
            await payouts.mark(session, reference, state_after(error), code=error.code, detail=error.detail[:500])


def _known_as_paid(row: PayoutAttempt) -> PayoutAccepted:
    """What our own rows say of a reference that a saga, which was reset, wants to send again."""
    report = Report(
        reference=row.reference,
        source="books",
        state="paid",
        code="known",
        detail="our own books have it as paid",
        provider_reference=row.provider_reference,
        receipt=row.receipt,
        amount=Money(row.amount_minor, row.currency),
        party_digits=row.msisdn.removeprefix("+") if row.msisdn else None,
        happened_at=row.paid_at or row.updated_at,
    )
    return PayoutAccepted(reference=row.reference, provider_reference=row.provider_reference, report=report)
