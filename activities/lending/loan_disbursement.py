"""Our own books of a disbursement: progress noted, charges captured or given back, people told. One transaction each."""

from dataclasses import dataclass

from temporalio import activity

from activities.lending.payable_loans import NOT_PAYABLE
from activities.lending.wallet_notices import WAITING_FUNDS, tell_if_low
from core.money import Money
from ledger import chart
from ledger.balances import balance, open_holds
from ledger.posting import post
from ledger.transfers import Capture, Release
from models.messages.lending.loan_disbursement import NoteProgress, Settle
from models.messages.lending.loan_disbursement import Release as ReleaseOrder
from models.tables.lending.loan_disbursement import Disbursement
from notices.outbox import tell_client, tell_partner
from store.database import Database
from store.lending import paid_twice
from store.platform import partners
from store.saga import cases, payouts, saga_rows, timeline

# What the saga takes as a decision on each kind of case that waits for one.
_ACTIONS = {
    "payout_unknown": ["paid", "not_paid", "approve", "decline", "retry"],
    "payout_partial": ["partial", "retry"],
    "post_failed": ["posted", "retry"],
}

# What a saga gets over by itself when it goes on; contradictions stay open for a person.
_SELF_HEALING = ["payout_unknown", "post_failed", "payout_partial", WAITING_FUNDS]


@dataclass(frozen=True)
class Disbursements:
    """Every method may be repeated: keys, and rows that an ended saga no longer changes."""

    database: Database
    top_up_url: str = ""

    @activity.defn(name="disbursements.settle")
    async def settle(self, order: Settle) -> None:
        """Captures the charges of what was paid, gives back the rest, ends the row, tells client and partner."""
        request, plan = order.request, order.plan
        paid_parts = len(order.payments)
        receipts = ", ".join(payment.receipt for payment in order.payments)
        paid = sum((payment.amount for payment in order.payments), Money.zero(plan.to_pay.currency))
        async with self.database.transaction() as session:
            if await saga_rows.lock_living(session, Disbursement, request.disbursement_id) is None:
                return
            due = [line for line in plan.charges if line.part is None or line.part <= paid_parts]
            rest = [line for line in plan.charges if line not in due]
            charged = sum((line.amount for line in due), Money.zero(plan.to_pay.currency))
            how = "by hand" if order.posted.by_hand else f"as transaction {order.posted.transaction_id or 'unnumbered'}"
            await timeline.write(session, request.workflow_id, "posted", f"Fineract booked it {how}.", tone="good")
            await timeline.write(
                session, request.workflow_id, "completed", f"Charges of {charged} captured. Done.", tone="good"
            )
            await cases.close_of_workflow(session, request.workflow_id, _SELF_HEALING, resolution="the saga went on")
            await saga_rows.change(
                session,
                request.workflow_id,
                ended=True,
                stage="completed",
                charges_minor=charged.minor,
                transaction_id=order.posted.transaction_id,
                reason_code=None,
                reason=None,
            )
            await paid_twice.look(session, request.workflow_id)
            partner = await partners.get(session, request.partner_id)
            wallet = await balance(session, chart.partner_wallet(partner.id, partner.currency))
            facts = {
                "client_name": plan.client_name,
                "partner_name": partner.name,
                "account_no": plan.account_no,
                "amount": str(paid),
                "receipts": receipts,
                "phone": plan.msisdn.masked,
                "charges": str(charged),
                "balance": str(wallet.available),
                "next_repayment_on": plan.first_repayment_on.isoformat() if plan.first_repayment_on else "",
            }
            await tell_client(
                session, "loan_paid", key=f"{request.workflow_id}:paid", phone=plan.msisdn, language=partner.language,
                partner_id=partner.id, workflow_id=request.workflow_id, facts=facts,
            )  # fmt: skip
            await tell_partner(
                session, "loan_paid", key=f"{request.workflow_id}:paid",
                contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                workflow_id=request.workflow_id, facts=facts,
            )  # fmt: skip
            # Last, because it locks the wallet that all sagas of the partner share.
            happened_at = order.payments[-1].paid_at
            await post(
                session,
                *(Capture(f"{line.hold_key}:capture", line.hold_key, happened_at=happened_at) for line in due),
                *(Release(f"{line.hold_key}:undo", line.hold_key) for line in rest),
            )

    @activity.defn(name="disbursements.release")
    async def release(self, order: ReleaseOrder) -> None:
        """Nothing was paid: every open hold of the saga goes back, the row ends, the partner hears why."""
        request = order.request
        async with self.database.transaction() as session:
            row = await saga_rows.lock_living(session, Disbursement, request.disbursement_id)
            if row is None:
                return
            holds = await open_holds(session, workflow_id=request.workflow_id)
            if order.failed_reference:
                await payouts.finish(
                    session, order.failed_reference, "failed", code=order.code, detail=order.detail[:500]
                )
            await cases.close_of_workflow(session, request.workflow_id, _SELF_HEALING, resolution=order.code)
            await saga_rows.change(
                session,
                request.workflow_id,
                ended=True,
                stage=order.ending,
                reason_code=order.code,
                reason=order.detail[:500],
            )
            await timeline.write(
                session, request.workflow_id, "ended", f"Ended without payment: {order.detail}",
                tone="bad" if order.ending == "failed" else "warning", code=order.code,
            )  # fmt: skip
            if order.code in NOT_PAYABLE:
                await cases.open_case(
                    session,
                    key=f"{request.workflow_id}:loan_not_payable",
                    kind="loan_not_payable",
                    summary=f"Loan {_name(row)} is not paid: {order.detail}"[:500],
                    evidence={"loan_id": str(row.loan_id), "account_no": _name(row), "code": order.code},
                    partner_id=request.partner_id,
                    workflow_id=request.workflow_id,
                )
            partner = await partners.get(session, request.partner_id)
            await tell_partner(
                session, "loan_unpaid", key=f"{request.workflow_id}:unpaid",
                contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                workflow_id=request.workflow_id, facts={"account_no": _name(row), "reason_code": order.code},
            )  # fmt: skip
            if holds:
                released = await post(session, *(Release(f"{hold.key}:undo", hold.key) for hold in holds))
                wallet = chart.partner_wallet(partner.id, partner.currency)
                available = released[-1].balance_of(wallet).available
                await tell_if_low(session, partner, request.workflow_id, available, top_up_url=self.top_up_url)

    @activity.defn(name="disbursements.note")
    async def note(self, progress: NoteProgress) -> None:
        """A line in the timeline; with it, as asked, a stage, a case and a word to the partner."""
        request = progress.request
        async with self.database.transaction() as session:
            row = await saga_rows.lock_living(session, Disbursement, request.disbursement_id)
            is_new = await timeline.write(
                session, request.workflow_id, progress.key, progress.text, tone=progress.tone, **progress.facts
            )
            if row is not None:
                await saga_rows.change(
                    session,
                    request.workflow_id,
                    stage=progress.stage,
                    reason_code=progress.code,
                    reason=progress.text[:500],
                )
            if progress.open_case:
                await cases.open_case(
                    session,
                    key=f"{request.workflow_id}:{progress.open_case}"
                    + (f":{progress.key}" if progress.open_case == "payout_contradiction" else ""),
                    kind=progress.open_case,
                    summary=progress.text[:500],
                    evidence={**progress.facts, "code": progress.code or "-"},
                    actions=_ACTIONS.get(progress.open_case),
                    partner_id=request.partner_id,
                    workflow_id=request.workflow_id,
                    # The next part's doubt must not stand under the evidence of the part before.
                    replaces=is_new and progress.open_case == "payout_unknown",
                )
            if progress.tell_partner:
                await tell_partner(
                    session, progress.tell_partner, key=f"{request.workflow_id}:{progress.tell_partner}",
                    contacts=await partners.contacts(session, request.partner_id), partner_id=request.partner_id,
                    workflow_id=request.workflow_id,
                    facts={
                        "account_no": _name(row), "reason_code": progress.code or "",
                        "reference": progress.facts.get("reference", "-"),
                    },
                )  # fmt: skip


def _name(row: Disbursement | None) -> str:
    """How people call this loan: its account number once it was read, else its id."""
    if row is None:
        return "-"
    return row.account_no or str(row.loan_id)
