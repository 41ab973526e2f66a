"""What of a lender's day is compared with Fineract, so many rows at a time."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.lending.customer_collection import Collection
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.saga_row import SagaRow


async def disbursements(
    session: AsyncSession,
    partner_id: str,
    since: datetime,
    until: datetime,
    *,
    also: Sequence[str],
    after: str,
    limit: int,
) -> list[Disbursement]:
    """By id: those that were completed in the period, and the sagas named in `also`."""
    query = (
        select(Disbursement)
        .where(
            Disbursement.partner_id == partner_id,
            Disbursement.stage == "completed",
            _wanted(Disbursement, since, until, also),
            col(Disbursement.id) > after,
        )
        .order_by(col(Disbursement.id))
        .limit(limit)
    )
    return list(await session.exec(query))


async def collections(
    session: AsyncSession,
    partner_id: str,
    since: datetime,
    until: datetime,
    *,
    also: Sequence[str],
    after: str,
    limit: int,
) -> list[Collection]:
    """The same of customers' payments."""
    query = (
        select(Collection)
        .where(
            Collection.partner_id == partner_id,
            Collection.stage == "completed",
            _wanted(Collection, since, until, also),
            col(Collection.id) > after,
        )
        .order_by(col(Collection.id))
        .limit(limit)
    )
    return list(await session.exec(query))


async def paid_attempts(session: AsyncSession, workflow_ids: Sequence[str]) -> dict[str, list[PayoutAttempt]]:
    """What M-Pesa is known to have paid, by saga."""
    found: dict[str, list[PayoutAttempt]] = {workflow_id: [] for workflow_id in workflow_ids}
    rows = await session.exec(
        select(PayoutAttempt).where(col(PayoutAttempt.workflow_id).in_(workflow_ids), PayoutAttempt.state == "paid")
    )
    for row in rows:
        found[row.workflow_id].append(row)
    return found


def _wanted(model: type[SagaRow], since: datetime, until: datetime, also: Sequence[str]) -> ColumnElement[bool]:
    ended_at = col(model.ended_at)
    return or_((ended_at >= since) & (ended_at < until), col(model.workflow_id).in_(also))
