"""Whose a provider's receipt is: one receipt is one movement of money, and a slip of the pen would book it twice."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.collections import IncomingPayment
from store import payouts, unknown_outcomes


async def belongs_elsewhere(session: AsyncSession, receipt: str, *, workflow_id: str, money_in: bool) -> bool:
    """Whether another payout has this receipt or, for money that comes in, a payment that another saga has taken."""
    last = (await unknown_outcomes.last_payouts(session, [workflow_id])).get(workflow_id, "")
    if await payouts.receipt_is_taken(session, receipt, by_other_than=last):
        return True
    if not money_in:
        return False
    # A bank gives both sides of a transfer between our own accounts one id, so this is asked for money in alone.
    claimed = await session.exec(
        select(IncomingPayment.id).where(
            IncomingPayment.external_id == receipt,
            col(IncomingPayment.claimed_by).is_not(None),
            IncomingPayment.claimed_by != workflow_id,
        )
    )
    return claimed.first() is not None
