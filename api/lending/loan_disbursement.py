"""Loan disbursements: started, read, waited for, commanded."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Path, Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import DisbursementReader, DisbursementResolver, DisbursementWriter, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.lending.loan_disbursement_schemas import (
    ChargesOut,
    CommandOut,
    DisbursementDetail,
    DisbursementNew,
    DisbursementOut,
    ResolutionIn,
)
from api.lending.payouts_again import AGAIN
from api.operations import two_people
from api.saga import commands, pages
from api.saga.pages import Resource, Wait
from api.saga.schemas import AttemptOut, CommandIn, SagaNow, Timeline
from core.errors import Conflict
from core.ids import DISBURSEMENT
from ledger.balances import open_holds
from models.messages.lending.loan_disbursement import Stage
from models.messages.saga.decisions import CommandTaken, RetryNow, Verdict
from models.tables.lending.loan_disbursement import Disbursement
from store.lending import loan_disbursement
from store.platform import audit
from store.saga import payouts
from temporal.starts import start_disbursement

router = APIRouter(prefix="/api/v1/disbursements", tags=["disbursements"], dependencies=KNOWN_PARAMETERS)

DisbursementId = Annotated[str, Path(pattern=id_pattern(DISBURSEMENT))]
_DISBURSEMENTS: Final = Resource[Disbursement](
    noun="disbursement", path=router.prefix, acts="disbursements", field="disbursement_id", read=loan_disbursement.get
)


@router.post(
    "",
    status_code=202,
    response_model=DisbursementOut,
    responses={
        200: {"model": DisbursementOut, "description": "The loan has this disbursement already"},
        **problems(404, 409, *WRITES),
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
        row = await loan_disbursement.get(session, started.disbursement_id)
        assert row is not None
        shown = DisbursementOut.of(row)
        return await once.reply(
            session, shown, status=202 if started.created else 200, location=f"/api/v1/disbursements/{row.id}"
        )


@router.get("", responses=problems(404), summary="List disbursements, newest first")
async def list_disbursements(
    services: ServicesDep,
    principal: DisbursementReader,
    partner_id: PartnerFilter = None,
    stage: Stage | None = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[DisbursementOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await loan_disbursement.page(
            session, partner_id=partner_id or principal.partner_id, stage=stage, before=cursor, limit=limit + 1
        )
    return page(rows, limit, DisbursementOut.of, lambda row: row.id)


@router.get("/{disbursement_id}", responses=problems(404), summary="One disbursement; `wait` for its end")
async def get_disbursement(
    disbursement_id: DisbursementId,
    request: Request,
    services: ServicesDep,
    principal: DisbursementReader,
    wait: Wait = 0,
) -> DisbursementDetail:
    row = await _DISBURSEMENTS.wait_for(services, principal, disbursement_id, request, wait)
    status = await commands.ask_status(services, row)
    async with services.database.transaction() as session:
        attempts = await payouts.of_workflow(session, row.workflow_id)
        holds = await open_holds(session, workflow_id=row.workflow_id)
    return DisbursementDetail.model_validate(
        {
            **DisbursementOut.facts(row),
            "attempts": [AttemptOut.of(attempt) for attempt in attempts],
            "charge_state": ChargesOut.of(row, holds),
            "saga": SagaNow.of(status) if status else None,
        }
    )


@router.get("/{disbursement_id}/events", responses=problems(404), summary="Its timeline, oldest first")
async def list_disbursement_events(
    disbursement_id: DisbursementId, services: ServicesDep, principal: DisbursementReader
) -> Timeline:
    return await _DISBURSEMENTS.timeline(services, principal, disbursement_id)


@router.post(
    "/{disbursement_id}/resolve",
    response_model=CommandOut,
    responses=problems(404, 409, *WRITES),
    summary="Decide, with evidence, what the machine must not guess",
)
async def resolve_disbursement(
    disbursement_id: DisbursementId,
    wanted: ResolutionIn,
    services: ServicesDep,
    principal: DisbursementResolver,
    once: Idempotent,
) -> Response:
    """409 if the decision does not fit the stage, `four_eyes` if its own proposer approves; 422 if a fact is missing."""
    row = await _DISBURSEMENTS.find(services, principal, disbursement_id)
    async with services.database.transaction() as session:
        attempts = await payouts.of_workflow(session, row.workflow_id)
    about = attempts[-1].reference if attempts else ""
    if wanted.reference and wanted.reference != about:
        raise Conflict("That is not the attempt that waits.", code="another_attempt", field="reference")
    verdict = Verdict.model_validate(wanted.model_dump())
    return await pages.decide(services, principal, once, _DISBURSEMENTS, row, verdict, about=about, answer=_taken(row))


@router.post(
    "/{disbursement_id}/retry",
    response_model=CommandOut,
    responses=problems(404, 409, *WRITES),
    summary="Go on at once instead of at the end of a wait",
)
async def retry_disbursement(
    disbursement_id: DisbursementId,
    services: ServicesDep,
    principal: DisbursementWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    row = await _DISBURSEMENTS.find(services, principal, disbursement_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(services, principal, once, _DISBURSEMENTS, row, "retry", wish, answer=_taken(row))


@router.post(
    "/{disbursement_id}/cancel",
    response_model=CommandOut,
    responses=problems(404, 409, *WRITES),
    summary="Stop it, if no money can have left",
)
async def cancel_disbursement(
    disbursement_id: DisbursementId,
    services: ServicesDep,
    principal: DisbursementWriter,
    once: Idempotent,
    wanted: CommandIn | None = None,
) -> Response:
    row = await _DISBURSEMENTS.find(services, principal, disbursement_id)
    wish = RetryNow(actor=principal.id, note=wanted.note if wanted else "")
    return await pages.command(
        services, principal, once, _DISBURSEMENTS, row, "cancel_request", wish, answer=_taken(row)
    )


async def _proposed(
    services: Services, principal: Principal, partner_id: str, wanted: DisbursementNew, after: str
) -> Conflict:
    """The refusal that names the proposal, which is made now unless it waits already."""
    async with services.database.transaction() as session:
        proposal = await two_people.propose(
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
        proposal_id=proposal.id,
        disbursement_id=after,
    )


def _taken(row: Disbursement) -> Callable[[CommandTaken], CommandOut]:
    return lambda taken: CommandOut(disbursement_id=row.id, stage=taken.stage, at=taken.at)
