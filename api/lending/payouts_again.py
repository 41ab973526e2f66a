"""A new payout for a loan whose money may have been on its way before: never by itself, and by a person only with a second
one (A7). One person who says "not paid" and asks again would otherwise pay a loan twice alone.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.dependencies import Services
from core.errors import Conflict
from inbound.lending.loan_disbursement import Record, claim_disbursement, start_claimed
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.proposal import Proposal
from store.lending import loan_disbursement
from store.platform import audit

AGAIN: Final = "disbursements.again"


async def start(session: AsyncSession, services: Services, proposal: Proposal) -> Callable[[], Awaitable[None]]:
    """The new disbursement's row, recorded as asked for by the proposer; its saga starts once that is committed. Raises
    Conflict (code "superseded") if the loan has another disbursement by now than the one that was looked at."""
    assert proposal.partner_id is not None
    loan_id, after = int(proposal.content["loan_id"]), proposal.content["after"]
    last = await loan_disbursement.last_of(session, proposal.partner_id, loan_id)
    if last is None or last.id != after:
        raise Conflict("The loan's disbursement has changed since that was proposed.", code="superseded")
    claimed = await claim_disbursement(
        session,
        partner_id=proposal.partner_id,
        loan_id=loan_id,
        source="api",
        requested_by=proposal.proposed_by_key,
        agreed=True,
        record=_recorded(proposal),
    )

    async def afterwards() -> None:
        await start_claimed(services.client, services.database, claimed)

    return afterwards


def _recorded(proposal: Proposal) -> Record:
    async def record(session: AsyncSession, row: Disbursement) -> None:
        after = {"loan_id": row.loan_id, "round": row.round, "proposal_id": proposal.id}
        await audit.write(
            session, actor=proposal.proposed_by_key, action="disbursements.create", subject=row.id, after=after
        )

    return record
