"""A loan's place in the line before its lender's wallet."""

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.saga.funds import given_back
from core.errors import InsufficientFunds
from ledger import chart
from ledger.posting import post
from models.tables.lending.loan_disbursement import Disbursement
from store.lending.loan_disbursement import BEFORE_PAYING
from store.saga import funds_waits, saga_rows


async def stand_in_line(session: AsyncSession, disbursement_id: str, short: InsufficientFunds) -> bool:
    """The loan's place before its wallet, for what was missing. One that was granted less than it needs by now gives that
    back and keeps its place. False, and nothing is changed, if the saga has gone on: a try that was believed dead."""
    row = await saga_rows.lock_living(session, Disbursement, disbursement_id)
    if row is None or row.stage not in BEFORE_PAYING:
        return False
    granted = None
    if await funds_waits.is_granted(session, row.workflow_id):
        granted = await funds_waits.leave(session, row.workflow_id)
    await funds_waits.join(
        session,
        workflow_id=row.workflow_id,
        partner_id=row.partner_id,
        account_id=chart.partner_wallet(row.partner_id, row.currency).id,
        needed_minor=int(short.extra["needed_minor"]),
        asked_at=row.created_at,
    )
    await post(session, *given_back(granted))
    return True
