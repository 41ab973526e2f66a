"""A new payout for a loan whose money may have been on its way before: never by itself, and by a person only with a second
one (A7). One person who says "not paid" and asks again would otherwise pay a loan twice alone.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.dependencies import Services
from api.operations.acts import Act
from core.errors import Conflict
from inbound.lending.loan_disbursement import Record, claim_disbursement, start_claimed
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.approval import ApprovalRequest
from store.lending import loan_disbursement
from store.platform import audit

AGAIN: Final = "disbursements.again"


async def start(session: AsyncSession, services: Services, request: ApprovalRequest) -> Callable[[], Awaitable[None]]:
    """The new disbursement's row, recorded as asked for by the proposer; its saga starts once that is committed. Raises
    Conflict (code "superseded") if the loan has another disbursement by now than the one that was looked at."""
    assert request.partner_id is not None
    loan_id, after = int(request.content["loan_id"]), request.content["after"]
    last = await loan_disbursement.last_of(session, request.partner_id, loan_id)
    if last is None or last.id != after:
        raise Conflict("The loan's disbursement has changed since that was proposed.", code="superseded")
    claimed = await claim_disbursement(
        session,
        partner_id=request.partner_id,
        loan_id=loan_id,
        source="api",
        requested_by=request.requested_via,
        agreed=True,
        record=_recorded(request),
    )

    async def afterwards() -> None:
        await start_claimed(services.client, services.database, claimed)

    return afterwards


def _recorded(request: ApprovalRequest) -> Record:
    async def record(session: AsyncSession, row: Disbursement) -> None:
        after = {"loan_id": row.loan_id, "round": row.round, "approval_id": request.id}
        await audit.write(
            session, actor=request.requested_via, action="disbursements.create", subject=row.id, after=after
        )

    return record


ACTS: Final = (
    Act(
        AGAIN, "A loan whose payout was sent before, and is known not to have been paid, is paid out anew.",
        "disbursements:write", carry_out=start,
    ),
)  # fmt: skip
