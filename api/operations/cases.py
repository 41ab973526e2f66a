"""The case desk: what a person must decide, taken by one person, acted on or closed."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Anyone, DisbursementReader, Principal
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations.cases_schemas import CaseAct, CaseActed, CaseClose, CaseDetail, CaseOut
from api.saga import commands, deciding
from api.saga.deciding import Act
from core.errors import Conflict, InvalidRequest, NotFound
from core.ids import API_KEY, CASE
from models.messages.saga.cases import FACTS_OF, KINDS, RETRY
from models.messages.saga.decisions import Allocation, RetryNow, Verdict
from models.tables.saga.case import Case
from models.tables.saga.saga_row import SagaRow
from store.platform import audit
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
        pattern=f"^(me|nobody|{id_pattern(API_KEY)[1:-1]})$",
        description="Only those that this key looks at: an id, `me`, or `nobody`",
    ),
]
# The kinds whose case is about one attempt: a decision must not fall on the attempt after it.
_ABOUT_AN_ATTEMPT: Final = frozenset({"payout_unknown"})


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
            owner={"me": principal.id, "nobody": None}.get(owner or "", owner),
            without_owner=owner == "nobody",
            before=cursor,
            limit=limit + 1,
        )
    return page(rows, limit, CaseOut.of, lambda row: row.id)


@router.get("/{case_id}", responses=problems(404), summary="One case with its saga, its evidence and its timeline")
async def get_case(case_id: CaseId, services: ServicesDep, principal: DisbursementReader) -> CaseDetail:
    async with services.database.transaction() as session:
        row = await _find(session, principal, case_id)
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
        row = await _find_to_decide(session, principal, case_id)
        before = _plain(row)
        if not await cases.take(session, case_id, principal.id):
            await session.refresh(row)
            _refuse_if_closed(row)
            raise Conflict("Somebody else looks at it already.", code="case_taken", owner=row.owner or "-")
        return await once.reply(session, await _recorded(session, principal, row, "take", before), status=200)


@router.post(
    "/{case_id}/give-back",
    response_model=CaseOut,
    responses=problems(404, "case_not_taken", "case_closed", "idempotency_key_reused", *WRITES),
    summary="Say that you do not look at it any more",
)
async def give_back_case(case_id: CaseId, services: ServicesDep, principal: Anyone, once: Idempotent) -> Response:
    """Your own; an admin gives back anybody's."""
    async with services.database.transaction() as session:
        row = await _find_to_decide(session, principal, case_id)
        before = _plain(row)
        if not await cases.give_back(session, case_id, None if principal.is_admin else principal.id):
            await session.refresh(row)
            _refuse_if_closed(row)
            raise Conflict("You have not taken this case.", code="case_not_taken", owner=row.owner or "-")
        return await once.reply(session, await _recorded(session, principal, row, "give_back", before), status=200)


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
    message = _message(wanted, principal)
    async with services.database.transaction() as session:
        row = await _find_to_decide(session, principal, case_id)
        _refuse_if_closed(row)
        saga = await saga_rows.of_workflow(session, row.workflow_id) if row.workflow_id else None
        saga = _refuse_what_is_not_allowed(row, saga, wanted.action)
    act = Act(principal, saga, "cases.act", case_id, once.key)
    if isinstance(message, Verdict):
        meant = row.evidence.get("reference") if row.kind in _ABOUT_AN_ATTEMPT else None
        taken = await deciding.decide(services, act, message, meant=meant)
    else:
        taken = await deciding.command(services, act, RETRY, message)
    async with services.database.transaction() as session:
        answer = CaseActed(case_id=case_id, stage=taken.stage, at=taken.at)
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
        row = await _find_to_decide(session, principal, case_id)
        before = _plain(row)
        if not await cases.close(session, case_id, by=principal.id, resolution=wanted.reason):
            raise _closed()
        return await once.reply(session, await _recorded(session, principal, row, "close", before), status=200)


async def _find(session: AsyncSession, principal: Principal, case_id: str) -> Case:
    row = await cases.get(session, case_id)
    if row is None or not principal.sees(row.partner_id):
        raise NotFound("No case has that id.", field="case_id")
    return row


async def _find_to_decide(session: AsyncSession, principal: Principal, case_id: str) -> Case:
    row = await _find(session, principal, case_id)
    deciding.need_to_decide(principal, row.workflow_id)
    return row


def _refuse_if_closed(row: Case) -> None:
    if row.state == "closed":
        raise _closed()


def _closed() -> Conflict:
    return Conflict("The case is closed already.", code="case_closed")


def _refuse_what_is_not_allowed(row: Case, saga: SagaRow | None, action: str) -> SagaRow:
    """The saga that takes the action. Raises Conflict."""
    if saga is None:
        raise Conflict("No saga waits for this case; close it with a reason.", code="no_saga")
    if not row.actions:
        raise Conflict(
            "No saga waits for a decision on this case; look at its evidence and close it with a reason.",
            code="nothing_to_decide",
        )
    if action not in row.actions:
        raise Conflict(
            f"This case takes {', '.join(row.actions)}; not “{action}”.", code="action_not_allowed", field="action"
        )
    return saga


def _message(wanted: CaseAct, principal: Principal) -> Verdict | RetryNow:
    """Raises InvalidRequest for a decision that says too little, or something that does not belong to it."""
    given = {
        name for name in ("receipt", "transaction_id", "paid_at", "proposal", "allocations") if getattr(wanted, name)
    }
    for name in sorted(given - FACTS_OF.get(wanted.action, frozenset())):
        raise InvalidRequest(f"“{name}” does not belong to “{wanted.action}”.", code="not_for_this_action", field=name)
    if wanted.action == RETRY:
        return RetryNow(actor=principal.id, note=wanted.evidence or "")
    if wanted.evidence is None:
        raise InvalidRequest("Say what the decision rests on.", code="evidence_missing", field="evidence")
    return Verdict(
        decision=wanted.action,
        evidence=wanted.evidence,
        proposal=wanted.proposal,
        receipt=wanted.receipt,
        transaction_id=wanted.transaction_id,
        paid_at=wanted.paid_at,
        allocations=tuple(
            Allocation(
                kind=part.kind,
                account_no=part.account,
                amount=part.amount.money,
                accept_overpayment=part.accept_overpayment,
            )
            for part in wanted.allocations
        ),
    )


def _plain(row: Case) -> dict[str, Any]:
    return CaseOut.of(row).model_dump(mode="json")


async def _recorded(
    session: AsyncSession, principal: Principal, row: Case, act: str, before: dict[str, Any]
) -> CaseOut:
    """The case as it is now, with the act in the audit log."""
    await session.refresh(row)
    after = CaseOut.of(row)
    await audit.write(
        session, actor=principal.id, action=f"cases.{act}", subject=row.id, before=before,
        after=after.model_dump(mode="json"),
    )  # fmt: skip
    return after
