"""Comparisons of partners' days with M-Pesa, the bank and Fineract: what was checked, what differs, and checking again."""

from datetime import date
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from api.http.auth import DisbursementReader, Principal, need
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations.reconciliations_schemas import (
    DifferenceOut,
    ReconciliationAsked,
    ReconciliationDetail,
    ReconciliationNew,
    ReconciliationOut,
)
from core.clock import local_date, utc_now
from core.errors import InvalidRequest, NotFound
from core.ids import RECONCILIATION
from models.kinds import PAYOUTS
from models.messages.reconciliation import ReconcileDay
from store.platform import audit, partners, reconciliations
from temporal.queues import FLOWS_QUEUE

router = APIRouter(prefix="/api/v1/reconciliations", tags=["reconciliations"], dependencies=KNOWN_PARAMETERS)

_MOST_DIFFERENCES: Final = 1_000

ReconciliationId = Annotated[str, Path(pattern=id_pattern(RECONCILIATION))]
Asker = Annotated[Principal, Depends(need(PAYOUTS.scope("write")))]
DayFilter = Annotated[date | None, Query(alias="date", description="Only this day's")]
StateFilter = Annotated[Literal["open", "gone"] | None, Query(description="`gone`: both sides agree by now")]
KeyCursor = Annotated[
    str | None, Query(max_length=300, pattern=r"^[ -~]+$", description="`next_cursor` of the page before")
]


@router.get("", responses=problems(404), summary="List comparisons, newest first")
async def list_reconciliations(
    services: ServicesDep,
    principal: DisbursementReader,
    partner_id: PartnerFilter = None,
    day: DayFilter = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[ReconciliationOut]:
    """One for each day of a partner, as it was compared last."""
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await reconciliations.page(
            session, partner_id=partner_id or principal.partner_id, day=day, before=cursor, limit=limit + 1
        )
    return page(rows, limit, ReconciliationOut.of, lambda row: row.id)


@router.get("/differences", responses=problems(404), summary="List what differs, or did")
async def list_differences(
    services: ServicesDep,
    principal: DisbursementReader,
    partner_id: PartnerFilter = None,
    day: DayFilter = None,
    state: StateFilter = None,
    cursor: KeyCursor = None,
    limit: Limit = 50,
) -> Page[DifferenceOut]:
    """By key. Each is a case from when it was found until it is gone."""
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await reconciliations.differences(
            session, partner_id=partner_id or principal.partner_id, day=day, state=state, before=cursor, limit=limit + 1
        )
    return page(rows, limit, DifferenceOut.of, lambda row: row.key)


@router.get("/{reconciliation_id}", responses=problems(404), summary="One comparison, and what differed on its day")
async def get_reconciliation(
    reconciliation_id: ReconciliationId, services: ServicesDep, principal: DisbursementReader
) -> ReconciliationDetail:
    """With the differences of that day, and those of earlier days that are still there: the first 1,000."""
    async with services.database.transaction() as session:
        row = await reconciliations.get(session, reconciliation_id)
        if row is None or not principal.sees(row.partner_id):
            raise NotFound("No comparison has that id.", field="reconciliation_id")
        found = await reconciliations.of_partner_day(session, row.partner_id, row.day, _MOST_DIFFERENCES)
    facts = ReconciliationOut.of(row).model_dump()
    return ReconciliationDetail(**facts, differences=[DifferenceOut.of(one) for one in found])


@router.post(
    "",
    status_code=202,
    response_model=ReconciliationAsked,
    responses=problems(404, "idempotency_key_reused", *WRITES),
    summary="Compare a day, or compare it again",
)
async def create_reconciliation(
    wanted: ReconciliationNew, services: ServicesDep, principal: Asker, once: Idempotent
) -> Response:
    """Every day is compared by itself once it is over. Asking again while it runs begins no second one; without a date it is
    the last day that is over. Nothing moves by it."""
    partner_id = principal.for_partner(wanted.partner_id)
    async with services.database.transaction() as session:
        partner = await partners.get(session, partner_id)
        today = local_date(utc_now(), partner.timezone)
        if wanted.day is not None and wanted.day > today:
            raise InvalidRequest("That day has not begun.", code="day_ahead", field="date")
        day = wanted.day or date.fromordinal(today.toordinal() - 1)
        row = await reconciliations.of_day(session, partner_id, day)
        run = 1 if row is None else row.runs if row.state == "running" else row.runs + 1
        await audit.write(
            session,
            actor=principal.id,
            action="reconciliations.ask",
            subject=partner_id,
            after={"day": day.isoformat()},
        )
    workflow_id = f"daily-reconciliation/{partner_id}/{day}"
    await services.client.start_workflow(
        "DailyReconciliation",
        ReconcileDay(partner_id=partner_id, day=day),
        id=workflow_id,
        task_queue=FLOWS_QUEUE,
        priority=Priority(fairness_key=partner_id),
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Comparison of {day}",
    )
    async with services.database.transaction() as session:
        asked = ReconciliationAsked(partner_id=partner_id, date=day, run=run, workflow_id=workflow_id)
        return await once.reply(session, asked, status=202)
