"""Money out: the instruction is written down before it leaves, and leaves once."""

from dataclasses import dataclass

from temporalio import activity

from activities.clients.connections import Connections
from activities.saga.send_errors import block_if_needed, state_after
from core.crypto import CallbackRoute, CallbackSigner
from core.errors import InvalidRequest, KivukoError
from core.money import Money
from core.recovery import RecoveryWindow
from models.messages.connections import AskBalance
from models.messages.saga.payouts import AskStatus, PayoutAccepted, SendPayout, StatusAsked
from models.messages.saga.reports import Report
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.ports import PayoutOrder, StatusInquiry
from store.database import Database
from store.saga import payouts, timeline


@dataclass(frozen=True)
class CallbackUrls:
    """The addresses that we give to providers; the path says what comes, the signed token to whom."""

    base_url: str
    signer: CallbackSigner

    def result(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/out"

    def timeout(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/out-late"

    def status(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/ask"

    def prompt(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/in"

    def balance(self, route: CallbackRoute) -> str:
        return f"{self.base_url}/cb/{self.signer.sign(route)}/level"


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
        What our rows know of the reference already is told instead of sending it.
        """
        instruction, reference = order.instruction, order.reference
        msisdn = instruction.msisdn
        if msisdn is None:
            raise InvalidRequest("M-Pesa pays phones only.", code="wrong_rail", field="msisdn")
        async with self.database.transaction() as session:
            daraja, shortcode = await self.connections.payer(session, instruction.partner_id)
            paid = await payouts.begin(session, order, account=shortcode, recovery=self.recovery)
            if paid is not None:
                return known_as_paid(paid)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:send",
                f"Sending {instruction.amount} to {instruction.to} by M-Pesa.",
                reference=reference, attempt=str(order.number),
            )  # fmt: skip
        route = CallbackRoute(instruction.workflow_id, reference)
        try:
            accepted = await daraja.send(
                PayoutOrder(
                    reference=reference,
                    msisdn=msisdn,
                    amount=instruction.amount,
                    remarks=instruction.remarks,
                    result_url=self.urls.result(route),
                    timeout_url=self.urls.timeout(route),
                    send_by=order.send_by,
                )
            )
        except KivukoError as error:
            await mark_error(self.database, reference, error)
            await block_if_needed(self.database, instruction.partner_id, "daraja", error)
            raise
        async with self.database.transaction() as session:
            await payouts.mark(session, reference, "accepted", provider_reference=accepted.provider_reference)
        return PayoutAccepted(reference=reference, provider_reference=accepted.provider_reference)

    @activity.defn(name="payouts.ask_status")
    async def ask_status(self, order: AskStatus) -> StatusAsked:
        """Asks the provider what became of a reference; the answer comes as a report. If no row of it was ever written
        it never left, and a fence makes sure that it never will."""
        instruction, reference = order.instruction, order.reference
        async with self.database.transaction() as session:
            daraja, shortcode = await self.connections.payer(session, instruction.partner_id)
            if await payouts.fence(session, order, account=shortcode, recovery=self.recovery):
                return StatusAsked(never_sent=True)
            attempt = await payouts.get(session, reference)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:ask",
                "No final report yet: asking M-Pesa what became of the payout.", tone="warning", reference=reference,
            )  # fmt: skip
        url = self.urls.status(CallbackRoute(instruction.workflow_id, reference))
        try:
            await daraja.query_status(
                StatusInquiry(
                    reference=reference,
                    result_url=url,
                    timeout_url=url,
                    provider_reference=attempt.provider_reference if attempt else None,
                )
            )
        except InvalidRequest as error:
            if error.code != "nothing_to_ask":
                raise
            return StatusAsked(asks_provider=False)
        return StatusAsked()

    @activity.defn(name="payouts.ask_balance")
    async def ask_balance(self, order: AskBalance) -> None:
        """Asks for the balances of the partner's M-Pesa accounts; the answer comes by callback."""
        async with self.database.transaction() as session:
            daraja = await self.connections.daraja(session, order.partner_id)
        url = self.urls.balance(CallbackRoute(f"balance/{order.partner_id}", order.partner_id))
        await daraja.query_balance(url, url)


def known_as_paid(row: PayoutAttempt) -> PayoutAccepted:
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


async def mark_error(database: Database, reference: str, error: KivukoError) -> None:
    """What a send's error says of the attempt."""
    async with database.transaction() as session:
        await payouts.mark(session, reference, state_after(error), code=error.code, detail=error.detail[:500])
