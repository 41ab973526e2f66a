"""Whose a provider's receipt is: one receipt is one movement of money, and a slip of the pen would book it twice."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import NotFound
from core.outside import provider_id
from models import kinds
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from store.saga import saga_rows, unknown_outcomes


async def belongs_elsewhere(session: AsyncSession, receipt: str, *, workflow_id: str, money_in: bool) -> bool:
    """Whether another payout of this partner by the same provider has this receipt or, for money that comes in, a payment
    that another saga has taken. Its accounts there are the partner's alone, so another partner's receipts are none of
    its business, and nobody is told of them. Raises NotFound for a saga without a row.
    """
    saga = await saga_rows.of_workflow(session, workflow_id)
    if saga is None:
        raise NotFound("No saga has that workflow id.", field="workflow_id")
    provider, spelt = kinds.of_row(saga).rail, provider_id(receipt)
    last = (await unknown_outcomes.last_payouts(session, [workflow_id])).get(workflow_id, "")
    paid = await session.exec(
        select(PayoutAttempt.reference).where(
            PayoutAttempt.partner_id == saga.partner_id,
            PayoutAttempt.provider == provider,
            func.upper(PayoutAttempt.receipt) == spelt,
            PayoutAttempt.reference != last,
        )
    )
    if paid.first() is not None:
        return True
    if not money_in:
        return False
    # A bank gives both sides of a transfer between our own accounts one id, so this is asked for money in alone.
    claimed = await session.exec(
        select(IncomingPayment.id).where(
            IncomingPayment.partner_id == saga.partner_id,
            IncomingPayment.provider == provider,
            IncomingPayment.external_id == spelt,
            col(IncomingPayment.claimed_by).is_not(None),
            IncomingPayment.claimed_by != workflow_id,
        )
    )
    return claimed.first() is not None
