"""Money that moves at the partner's bank: the instruction is written down before it leaves, and leaves once."""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity

from activities.clients.connections import Connections
from activities.saga.payouts import known_as_paid, mark_error
from activities.saga.send_errors import block_if_needed
from core.clock import utc_now
from core.errors import InvalidRequest, KivukoError
from core.recovery import RecoveryWindow
from models.messages.saga.payouts import (
    AskStatus,
    BankOrder,
    PayoutAccepted,
    PayoutInstruction,
    SendPayout,
    StatusAsked,
)
from models.messages.saga.reports import Report
from providers.banking import BankAccount, BankPort, FloatOrder, Inquiry, Submitted, TransferOrder
from store.database import Database
from store.saga import payouts, timeline


@dataclass(frozen=True)
class BankPayments:
    """Runs on the bank's own queue."""

    database: Database
    connections: Connections
    recovery: tuple[RecoveryWindow, ...] = ()

    @activity.defn(name="bank.send")
    async def send(self, order: SendPayout) -> PayoutAccepted:
        """Writes the attempt, commits, sends once. The caller gives it one attempt.

        Raises Rejected or Transient only if it is certain that nothing left; everything else counts as maybe sent. Where
        the bank's answer is final, `report` says so.
        """
        instruction, reference = order.instruction, order.reference
        wanted = _order(instruction)
        async with self.database.transaction() as session:
            bank, _ = await self.connections.bank(session, instruction.partner_id)
            paid = await payouts.begin(session, order, account=wanted.source_account, recovery=self.recovery)
            if paid is not None:
                return known_as_paid(paid)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:send",
                f"Telling the bank to move {instruction.amount} to {instruction.to}.",
                reference=reference, attempt=str(order.number),
            )  # fmt: skip
        try:
            submitted = await _submit(bank, order, wanted)
        except KivukoError as error:
            await mark_error(self.database, reference, error)
            await block_if_needed(self.database, instruction.partner_id, "bank", error)
            raise
        report = submitted.result and Report.of(submitted.result, reference, "query")
        async with self.database.transaction() as session:
            await payouts.mark(session, reference, "accepted", provider_reference=submitted.provider_reference)
            report = report and await payouts.with_own_receipt(session, report)
        return PayoutAccepted(reference=reference, provider_reference=submitted.provider_reference, report=report)

    @activity.defn(name="bank.ask_status")
    async def ask_status(self, order: AskStatus) -> StatusAsked:
        """What became of an instruction: by the bank's status query, or by its statement where it has none. If no row of
        it was ever written it never left, and a fence makes sure that it never will."""
        instruction, reference = order.instruction, order.reference
        wanted = _order(instruction)
        async with self.database.transaction() as session:
            if await payouts.fence(session, order, account=wanted.source_account, recovery=self.recovery):
                return StatusAsked(never_sent=True)
            attempt = await payouts.get(session, reference)
            assert attempt is not None
            bank, settings = await self.connections.bank(session, instruction.partner_id)
            await timeline.write(
                session, instruction.workflow_id, f"{reference}:ask",
                "No final word yet: asking the bank what became of it.", tone="warning", reference=reference,
            )  # fmt: skip
        found = await bank.find(
            Inquiry(
                reference=reference,
                what="float" if wanted.kind == "float_purchase" else "transfer",
                source=BankAccount(wanted.source_account, wanted.source_name),
                amount=instruction.amount,
                sent_at=attempt.created_at,
            )
        )
        window = timedelta(minutes=settings.settlement_window_minutes)
        async with self.database.transaction() as session:
            report = await payouts.with_own_receipt(session, Report.of(found, reference, "query"))
        if found.code == "not_found" and bank.capabilities.status_query and utc_now() - attempt.updated_at > window:
            # Only a bank that knows references, and only after its window: until then "not found" may mean "not yet".
            report = report.model_copy(
                update={"state": "failed", "detail": "The bank does not know the instruction after its window."}
            )
        return StatusAsked(report=report)


async def _submit(bank: BankPort, order: SendPayout, wanted: BankOrder) -> Submitted:
    instruction, reference = order.instruction, order.reference
    source = BankAccount(wanted.source_account, wanted.source_name)
    if wanted.kind == "bank_transfer":
        return await bank.transfer(
            TransferOrder(
                reference=reference,
                rail="pesalink" if wanted.bank_code else "internal",
                source=source,
                destination=BankAccount(wanted.account, wanted.name, wanted.bank_code),
                amount=instruction.amount,
                narration=instruction.remarks,
                send_by=order.send_by,
            )
        )
    return await bank.buy_float(
        FloatOrder(
            reference=reference,
            operator=wanted.operator or "mpesa",
            float_account=wanted.account,
            float_name=wanted.name,
            source=source,
            amount=instruction.amount,
            narration=instruction.remarks,
            send_by=order.send_by,
        )
    )


def _order(instruction: PayoutInstruction) -> BankOrder:
    if instruction.bank is None:
        raise InvalidRequest("The bank pays accounts only.", code="wrong_rail", field="bank")
    return instruction.bank
