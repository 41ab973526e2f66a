"""The missing-callback desk: what was sent and never answered."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.http.auth import Anyone, DisbursementReader, Principal
from api.http.csv_bodies import CSV, as_problem, csv_body, csv_file, media_type, takes
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import Limit, Page, PartnerFilter, page
from api.operations import unknown_outcome_rows
from api.operations.unknown_outcomes_schemas import Asked, Resolved, UnknownAsk, UnknownOutcomeOut
from core import csv_files, desk_files
from core.clock import utc_now
from core.csv_files import BadFile
from core.desk_files import DECISION_COLUMNS, FACT_COLUMNS
from store.saga import unknown_outcomes as sent
from store.saga.unknown_outcomes import UnknownOutcome

router = APIRouter(prefix="/api/v1/unknown-outcomes", tags=["cases"], dependencies=KNOWN_PARAMETERS)

Minutes = Annotated[int, Query(ge=0, le=100_000, description="Only what nobody has told anything of for so long")]
PlaceCursor = Annotated[
    str | None, Query(pattern=r"^[0-9A-Za-z_-]{1,60}$", description="`next_cursor` of the page before")
]
_LIST: Final = "reference\r\nAG_20261121_201036b2c9e14f77a0d8\r\n"
_DECISIONS: Final = (
    "reference,decision,receipt,evidence\r\n"
    'AG_20261121_201036b2c9e14f77a0d8,paid,UKL4X7QW2D,"portal, 21 November, line 14: completed"\r\n'
)
_ROW: Final = ",".join((*DECISION_COLUMNS, *FACT_COLUMNS))


@router.get("", responses=problems(404), summary="List what nobody has told the outcome of, oldest first")
async def list_unknown_outcomes(
    services: ServicesDep,
    principal: DisbursementReader,
    minutes: Minutes = 5,
    partner_id: PartnerFilter = None,
    cursor: PlaceCursor = None,
    limit: Limit = 50,
) -> Page[UnknownOutcomeOut]:
    """Payouts and prompts of sagas that have not ended."""
    now = utc_now()
    rows = await _found(services, principal, now, minutes, partner_id, cursor, limit + 1)
    return page(rows, limit, lambda row: UnknownOutcomeOut.of(row, now), lambda row: row.sent.reference)


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {"description": "CSV", "content": {CSV: {"schema": {"type": "string"}, "example": f"{_ROW}\r\n"}}},
        **problems(404),
    },
    summary="The same as a file, to be filled in and sent to `resolve`",
)
async def export_unknown_outcomes(
    services: ServicesDep, principal: DisbursementReader, minutes: Minutes = 5, partner_id: PartnerFilter = None
) -> Response:
    """The oldest 1,000. A cell that a spreadsheet would run as a formula has an apostrophe before it."""
    rows = await _found(services, principal, utc_now(), minutes, partner_id, None, desk_files.AT_MOST)
    text = csv_files.write((*DECISION_COLUMNS, *FACT_COLUMNS), [_cells(row) for row in rows])
    headers = {"Content-Disposition": 'attachment; filename="unknown-outcomes.csv"'}
    return Response(text, media_type=CSV, headers=headers)


@router.post(
    "/ask",
    response_model=Asked,
    responses=problems("idempotency_key_reused", *WRITES),
    openapi_extra=takes(application_json={"schema": UnknownAsk.model_json_schema()}, text_csv=csv_file(_LIST)),
    summary="Have the sagas of these references ask the provider now",
)
async def ask_unknown_outcomes(
    request: Request, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    """JSON, or a file of one column (a header is optional) with at most 1,000 references, ours or the provider's. A file
    with a bad line is refused whole, each bad line named."""
    wanted = await _references(request)
    items = await unknown_outcome_rows.ask(services, principal, wanted, once.key)
    async with services.database.transaction() as session:
        return await once.reply(session, Asked(items=items), status=200)


@router.post(
    "/resolve",
    response_model=Resolved,
    responses=problems("idempotency_key_reused", *WRITES),
    openapi_extra=takes(text_csv=csv_file(_DECISIONS)),
    summary="Decide, with evidence, row by row of a file",
)
async def resolve_unknown_outcomes(
    request: Request, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    """Columns reference, decision (paid, not_paid, approve, decline), receipt, evidence; the other columns of an export
    are passed over. A file with a bad line is refused whole, each bad line named."""
    try:
        wanted = desk_files.decisions(await csv_body(request))
    except BadFile as error:
        raise as_problem(error) from None
    items = await unknown_outcome_rows.resolve(services, principal, wanted, once.key)
    async with services.database.transaction() as session:
        return await once.reply(session, Resolved(items=items), status=200)


async def _found(
    services: Services,
    principal: Principal,
    now: datetime,
    minutes: int,
    partner_id: str | None,
    after: str | None,
    limit: int,
) -> list[UnknownOutcome]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        return await sent.page(
            session,
            before=now - timedelta(minutes=minutes),
            partner_id=partner_id or principal.partner_id,
            after=after,
            limit=limit,
        )


async def _references(request: Request) -> list[tuple[int, str]]:
    """Each with its line in the file, or its place in the list (from 1)."""
    try:
        if media_type(request) == "application/json":
            wanted = UnknownAsk.model_validate_json(await request.body())
            return list(enumerate(wanted.references, start=1))
        lines = desk_files.references(await csv_body(request))
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None
    except BadFile as error:
        raise as_problem(error) from None
    return [(line.number, line.cells["reference"]) for line in lines]


def _cells(found: UnknownOutcome) -> list[str | None]:
    one = found.sent
    return [
        one.reference, "", "", "", one.provider_reference, one.kind, one.provider, one.state, one.amount.amount,
        one.amount.currency, one.to, one.partner_id, found.saga_id, found.stage, one.sent_at.isoformat(),
        one.since.isoformat(), found.case_id,
    ]  # fmt: skip
