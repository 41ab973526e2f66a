"""The case desk: what a person must decide, taken by one person, acted on or closed."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from api.http.auth import Anyone, DisbursementReader
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations import case_acts
from api.operations.cases_schemas import CaseAct, CaseActed, CaseClose, CaseDetail, CaseOut
from api.saga import commands
from core.ids import CASE, PERSON
from models.messages.saga.cases import KINDS
from store.saga import cases, saga_rows, timeline

router = APIRouter(prefix="/api/v1/cases", tags=["cases"], dependencies=KNOWN_PARAMETERS)

CaseId = Annotated[str, Path(pattern=id_pattern(CASE))]
WorkflowFilter = Annotated[
    str | None, Query(max_length=300, pattern=r"^[ -~]+$", description="Only those of this saga")
]
KindFilter = Annotated[
    str | None, Query(pattern=f"^({'|'.join(sorted(KINDS))})$", description="Only those of this kind")
]
OwnerFilter = Annotated[
    str | None,
    Query(
        pattern=f"^(me|nobody|{id_pattern(PERSON)[1:-1]})$",
        description="Only those that this person looks at: an id, `me`, or `nobody`",
    ),
]


@router.get("", responses=problems(404), summary="List cases, newest first")
async def list_cases(
    services: ServicesDep,
    principal: DisbursementReader,
    state: Literal["open", "closed"] | None = None,
    kind: KindFilter = None,
    owner: OwnerFilter = None,
    partner_id: PartnerFilter = None,
    workflow_id: WorkflowFilter = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[CaseOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await cases.page(
            session,
            partner_id=partner_id or principal.partner_id,
            state=state,
            workflow_id=workflow_id,
            kind=kind,
            owner={"me": principal.person_id, "nobody": None}.get(owner or "", owner),
            without_owner=owner == "nobody",
            before=cursor,
            limit=limit + 1,
        )
    return page(rows, limit, CaseOut.of, lambda row: row.id)


@router.get("/{case_id}", responses=problems(404), summary="One case with its saga, its evidence and its timeline")
async def get_case(case_id: CaseId, services: ServicesDep, principal: DisbursementReader) -> CaseDetail:
    async with services.database.transaction() as session:
        row = await case_acts.find(session, principal, case_id)
        saga = await saga_rows.of_workflow(session, row.workflow_id) if row.workflow_id else None
        events = await timeline.read(session, row.workflow_id) if row.workflow_id else []
    status = await commands.query_status(services, saga) if saga else None
    return CaseDetail.whole(row, saga, status, events)


@router.post(
    "/{case_id}/take",
    response_model=CaseOut,
    responses=problems(404, "case_taken", "case_closed", "idempotency_key_reused", *WRITES),
    summary="Say that you look at it",
)
async def take_case(case_id: CaseId, services: ServicesDep, principal: Anyone, once: Idempotent) -> Response:
    """It keeps two people from doing the same. It gives no rights: others may still act, and must where two are needed."""
    async with services.database.transaction() as session:
        return await once.reply(session, await case_acts.take(session, principal, case_id), status=200)


@router.post(
    "/{case_id}/give-back",
    response_model=CaseOut,
    responses=problems(404, "case_not_taken", "case_closed", "idempotency_key_reused", *WRITES),
    summary="Say that you do not look at it any more",
)
async def give_back_case(case_id: CaseId, services: ServicesDep, principal: Anyone, once: Idempotent) -> Response:
    """Your own; an admin gives back anybody's."""
    async with services.database.transaction() as session:
        return await once.reply(session, await case_acts.give_back(session, principal, case_id), status=200)


@router.post(
    "/{case_id}/act",
    response_model=CaseActed,
    responses=problems(
        404,
        "action_not_allowed",
        "nothing_to_decide",
        "no_saga",
        "case_closed",
        "wrong_stage",
        "another_attempt",
        "receipt_taken",
        "superseded",
        "four_eyes",
        "ended",
        "idempotency_key_reused",
        *WRITES,
    ),
    summary="Decide, with evidence, what its saga waits for; or have it go on at once",
)
async def act_on_case(
    wanted: CaseAct, case_id: CaseId, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    """409 if the case or the saga's stage does not allow it, 422 if a fact is missing. Acting does not close the case:
    the saga does, when it goes on."""
    answer = await case_acts.act(services, principal, case_id, wanted, once.key)
    async with services.database.transaction() as session:
        return await once.reply(session, answer, status=200)


@router.post(
    "/{case_id}/close",
    response_model=CaseOut,
    responses=problems(404, "case_closed", "idempotency_key_reused", *WRITES),
    summary="Close a case, saying why",
)
async def close_case(
    wanted: CaseClose, case_id: CaseId, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    """It moves no money and ends no saga; one that waits for a decision goes on waiting."""
    async with services.database.transaction() as session:
        return await once.reply(session, await case_acts.close(session, principal, case_id, wanted), status=200)
