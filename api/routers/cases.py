"""The case desk."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from api.auth import DisbursementReader, DisbursementResolver
from api.dependencies import House
from api.documented import WRITES, problems
from api.idempotency import Idempotent
from api.known_parameters import KNOWN_PARAMETERS
from api.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.schemas.cases import CaseClose, CaseOut
from api.schemas.values import id_pattern
from core.errors import Conflict, NotFound
from core.ids import CASE
from store import audit, cases

router = APIRouter(prefix="/api/v1/cases", tags=["cases"], dependencies=KNOWN_PARAMETERS)

WorkflowFilter = Annotated[
    str | None, Query(max_length=300, pattern=r"^[ -~]+$", description="Only those of this saga")
]


@router.get("", responses=problems(404), summary="List cases, newest first")
async def list_cases(
    house: House,
    principal: DisbursementReader,
    state: Literal["open", "closed"] | None = None,
    partner_id: PartnerFilter = None,
    workflow_id: WorkflowFilter = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[CaseOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with house.database.transaction() as session:
        rows = await cases.page(
            session,
            partner_id=partner_id or principal.partner_id,
            state=state,
            workflow_id=workflow_id,
            before=cursor,
            limit=limit + 1,
        )
    return page(rows, limit, CaseOut.of, lambda row: row.id)


@router.post(
    "/{case_id}/close",
    response_model=CaseOut,
    responses=problems(404, 409, *WRITES),
    summary="Close a case, saying why",
)
async def close_case(
    wanted: CaseClose,
    house: House,
    principal: DisbursementResolver,
    once: Idempotent,
    case_id: Annotated[str, Path(pattern=id_pattern(CASE))],
) -> Response:
    """It moves no money and ends no saga: a payout in review is resolved at its disbursement."""
    async with house.database.transaction() as session:
        row = await cases.get(session, case_id)
        if row is None or not principal.sees(row.partner_id):
            raise NotFound("No case has that id.", field="case_id")
        before = CaseOut.of(row).model_dump(mode="json")
        if not await cases.close(session, case_id, by=principal.id, resolution=wanted.reason):
            raise Conflict("The case is closed already.", code="case_closed")
        await session.refresh(row)
        after = CaseOut.of(row)
        await audit.write(
            session,
            actor=principal.id,
            action="cases.close",
            subject=case_id,
            before=before,
            after=after.model_dump(mode="json"),
        )
        return await once.reply(session, after, status=200)
