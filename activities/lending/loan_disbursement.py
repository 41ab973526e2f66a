"""Our own books of a disbursement: charges captured or given back, people told. One transaction each."""

from dataclasses import dataclass

from temporalio import activity

from activities.lending.payable_loans import NOT_PAYABLE
from activities.lending.wallet_notices import notify_if_low
from activities.saga.records import end_row
from core.money import Money
from ledger import chart
from ledger.balances import balance, open_holds
from ledger.posting import post
from ledger.transfers import Capture, Release
from models.messages.lending.loan_disbursement import Release as ReleaseOrder
from models.messages.lending.loan_disbursement import Settle
from models.tables.lending.loan_disbursement import Disbursement
from notices.outbox import notify_client, notify_partner
from store.database import Database
from store.lending import paid_twice
from store.platform import partners
from store.saga import cases, funds_waits, payouts, saga_rows, timeline


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
            await end_row(
                session,
                request.workflow_id,
                stage="completed",
                line="completed",
                text=f"Charges of {charged} captured. Done.",
                tone="good",
                resolution="the saga went on",
                charges_minor=charged.minor,
                transaction_id=order.posted.transaction_id,
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
            await notify_client(
                session, "loan_paid", key=f"{request.workflow_id}:paid", phone=plan.msisdn, language=partner.language,
                partner_id=partner.id, workflow_id=request.workflow_id, facts=facts,
            )  # fmt: skip
            await notify_partner(
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
            await funds_waits.leave(
                session, request.workflow_id
            )  # before its holds are looked for: no grant comes after
            holds = await open_holds(session, workflow_id=request.workflow_id)
            if order.failed_reference:
                await payouts.finish(
                    session, order.failed_reference, "failed", code=order.code, detail=order.detail[:500]
                )
            await end_row(
                session,
                request.workflow_id,
                stage=order.ending,
                line="ended",
                text=f"Ended without payment: {order.detail}",
                tone="bad" if order.ending == "failed" else "warning",
                resolution=order.code,
                code=order.code,
                detail=order.detail,
            )
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
            await notify_partner(
                session, "loan_unpaid", key=f"{request.workflow_id}:unpaid",
                contacts=await partners.contacts(session, partner.id), partner_id=partner.id,
                workflow_id=request.workflow_id, facts={"account_no": _name(row), "reason_code": order.code},
            )  # fmt: skip
            if holds:
                released = await post(session, *(Release(f"{hold.key}:undo", hold.key) for hold in holds))
                wallet = chart.partner_wallet(partner.id, partner.currency)
                available = released[-1].balance_of(wallet).available
                await notify_if_low(session, partner, request.workflow_id, available, top_up_url=self.top_up_url)


def _name(row: Disbursement | None) -> str:
    """How people call this loan: its account number once it was read, else its id."""
    if row is None:
        return "-"
    return row.account_no or str(row.loan_id)
