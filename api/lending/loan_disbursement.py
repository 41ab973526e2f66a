"""Loan disbursements, asked for by a loan's id. What every saga offers is added by `saga_routes`."""

from typing import Annotated, Any, Final

from fastapi import Depends, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Principal, need
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent
from api.http.openapi import WRITES, problems
from api.lending.loan_disbursement_schemas import (
    ChargesOut,
    DisbursementDetail,
    DisbursementNew,
    DisbursementOut,
    ResolutionIn,
)
from api.lending.payouts_again import AGAIN
from api.operations import approving
from api.saga.resource import Resource, Words
from api.saga.routes import saga_routes
from api.saga.schemas import AttemptOut
from core.errors import Conflict
from inbound.lending.loan_disbursement import start_disbursement
from ledger.balances import open_holds
from models.messages.lending.loan_disbursement import Stage
from models.tables.lending.loan_disbursement import Disbursement
from store.lending.loan_disbursement import KIND
from store.platform import audit
from store.saga import payouts, reads

DisbursementWriter = Annotated[Principal, Depends(need(KIND.scope("write")))]


async def _detail(session: AsyncSession, row: Disbursement) -> dict[str, Any]:
    return {
        "attempts": [AttemptOut.of(attempt) for attempt in await payouts.of_workflow(session, row.workflow_id)],
        "charge_state": ChargesOut.of(row, await open_holds(session, workflow_id=row.workflow_id)),
    }


DISBURSEMENTS: Final = Resource[Disbursement](
    kind=KIND,
    id_field="disbursement_id",
    stage=Stage,
    out=DisbursementOut,
    detail_out=DisbursementDetail,
    detail=_detail,
    decision=ResolutionIn,
    decision_needs_key=False,
    words=Words(
        one="disbursement",
        many="disbursements",
        resolve="Decide, with evidence, what the machine must not guess",
        cancel="Stop it, if no money can have left",
    ),
)
router = saga_routes(DISBURSEMENTS)


@router.post(
    "",
    status_code=202,
    response_model=DisbursementOut,
    responses={
        200: {"model": DisbursementOut, "description": "The loan has this disbursement already"},
        **problems(
            404,
            "ended_unpaid",
            "second_person_needed",
            "contradiction_open",
            "claimed_elsewhere",
            "loan_paid_elsewhere",
            "claim_contended",
            "idempotency_key_reused",
            *WRITES,
        ),
    },
    summary="Pay out an approved loan",
)
async def create_disbursement(
    wanted: DisbursementNew, services: ServicesDep, principal: DisbursementWriter, once: Idempotent
) -> Response:
    """The loan is the natural key: asking again gives the same disbursement, whoever or whatever asked first. A loan
    whose disbursement ended unpaid gets a new one. If its payout had been sent, it is proposed only: 409
    `second_person_needed` names the proposal, to which another person must agree."""

    async def record(session: AsyncSession, row: Disbursement) -> None:
        wanted.mark(row)
        session.add(row)
        after = DisbursementOut.of(row).model_dump(mode="json")
        await audit.write(session, actor=principal.id, action="disbursements.create", subject=row.id, after=after)

    partner_id = principal.for_partner(wanted.partner_id)
    try:
        started = await start_disbursement(
            services.client,
            services.database,
            partner_id=partner_id,
            loan_id=wanted.loan_id,
            source="api",
            requested_by=principal.id,
            record=record,
        )
    except Conflict as error:
        if error.code != "sent_before":
            raise
        raise await _proposed(services, principal, partner_id, wanted, error.extra["disbursement_id"]) from None
    async with services.database.transaction() as session:
        row = await reads.row(session, Disbursement, started.disbursement_id)
        assert row is not None
        shown = DisbursementOut.of(row)
        return await once.reply(
            session, shown, status=202 if started.created else 200, location=f"{DISBURSEMENTS.path}/{row.id}"
        )


async def _proposed(
    services: Services, principal: Principal, partner_id: str, wanted: DisbursementNew, after: str
) -> Conflict:
    """The refusal that names the proposal, which is made now unless it waits already."""
    async with services.database.transaction() as session:
        proposal = await approving.propose(
            session,
            principal,
            AGAIN,
            subject=f"{partner_id}/{wanted.loan_id}",
            partner_id=partner_id,
            content={"loan_id": wanted.loan_id, "after": after},
            evidence=wanted.evidence,
        )
    return Conflict(
        "Money was sent for this loan before, so another person must agree to a new payout.",
        code="second_person_needed",
        approval_id=proposal.id,
        disbursement_id=after,
    )
