"""Whether a loan seems to have been paid more than once: for what slips through every guard, a person is told at once."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.traffic import InboxItem
from models.tables.saga.payout_attempt import PayoutAttempt
from store.saga import cases


async def look(session: AsyncSession, workflow_id: str, *, reported: str | None = None) -> bool:
    """Opens a case if the attempts of this saga's loan, of all its rounds and whoever made them, paid more than the loan
    in all: those recorded as paid, and those that a provider reported as paid although they are recorded as failed.
    `reported` is such a one whose report is being dealt with now. True if it did so, now or before."""
    loan = (await session.exec(select(Disbursement).where(Disbursement.workflow_id == workflow_id))).first()
    if loan is None or loan.amount_minor is None:
        return False
    rounds = select(Disbursement.workflow_id).where(
        Disbursement.tenant_key == loan.tenant_key, Disbursement.loan_id == loan.loan_id
    )
    attempts = list(
        await session.exec(
            select(PayoutAttempt)
            .where(
                col(PayoutAttempt.workflow_id).in_(rounds),
                col(PayoutAttempt.state).in_(["paid", "failed"]),
                PayoutAttempt.kind == "mobile",
            )
            .order_by(col(PayoutAttempt.created_at))
        )
    )
    if len(attempts) < 2:
        return False
    contradicted = await session.exec(
        select(InboxItem.reference).where(
            col(InboxItem.reference).in_([one.reference for one in attempts]),
            InboxItem.outcome == "contradiction",
            func.jsonb_extract_path_text(InboxItem.report, "state") == "paid",
        )
    )
    paid_after_all = {*contradicted, reported}
    paid = [one for one in attempts if one.state == "paid" or one.reference in paid_after_all]
    total = sum(one.amount_minor for one in paid)
    if len(paid) < 2 or total <= loan.amount_minor:
        return False
    await cases.open_case(
        session,
        key=f"paid_twice:{loan.tenant_key}:{loan.loan_id}:{total}",
        kind="paid_twice",
        summary=f"{Money(total, loan.currency)} went out for a loan of {Money(loan.amount_minor, loan.currency)}.",
        evidence={
            "loan_id": str(loan.loan_id),
            "references": ", ".join(one.reference for one in paid),
            "receipts": ", ".join(one.receipt or "-" for one in paid),
        },
        partner_id=loan.partner_id,
        workflow_id=workflow_id,
    )
    return True
