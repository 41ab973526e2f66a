"""Requests that wait for other people: listed, approved, rejected, withdrawn. They are made where the act is asked for."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Anyone, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent, Once
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations import approving
from api.operations.acts import acts_of
from api.operations.approvals_schemas import ApprovalOut, Approved, CodeFor, CodeOut, Rejected, State
from core.ids import APPROVAL
from models.tables.platform.approval import ApprovalRequest
from store.platform import approvals
from store.platform.approval_rules import Answer

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], dependencies=KNOWN_PARAMETERS)

RequestId = Annotated[str, Path(pattern=id_pattern(APPROVAL))]
ActFilter = Annotated[str | None, Query(max_length=80, pattern=r"^[a-z_.*\-]+$", description="Only those of this act")]
Mine = Annotated[bool, Query(description="Only those that you could answer")]


@router.get("", responses=problems(404), summary="List requests for approval, newest first")
async def list_approvals(
    services: ServicesDep,
    principal: Anyone,
    state: State | None = None,
    act: ActFilter = None,
    mine: Mine = False,
    partner_id: PartnerFilter = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[ApprovalOut]:
    """Those whose acts your scopes cover."""
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await approvals.page(
            session, partner_id=partner_id or principal.partner_id, state="open" if mine else state,
            acts=[name for name in acts_of(principal) if act in (None, name)],
            without=principal.person_id if mine else None, before=cursor, limit=limit + 1,
        )  # fmt: skip
        shown = {one.id: one for one in await show_all(session, principal, rows)}
    return page(rows, limit, lambda row: shown[row.id], lambda row: row.id)


@router.get("/{request_id}", responses=problems(404), summary="One request for approval, with its answers")
async def get_approval(request_id: RequestId, services: ServicesDep, principal: Anyone) -> ApprovalOut:
    async with services.database.transaction() as session:
        return await show(session, principal, await approving.find(session, principal, request_id))


@router.post(
    "/{request_id}/approve",
    response_model=ApprovalOut,
    responses=problems(404, 409, *WRITES),
    summary="Agree as another person; once enough have, it is done",
)
async def approve(
    request_id: RequestId, services: ServicesDep, principal: Anyone, once: Idempotent, wanted: Approved | None = None
) -> Response:
    """409 `four_eyes` for those who asked: all keys and sign-ins of one person are one, and so are keys that they made."""
    said = wanted or Approved()
    return await _answer(
        services, principal, once, request_id, "approve", said.note, version=said.version, as_person=said.as_person
    )


@router.post(
    "/{request_id}/reject",
    response_model=ApprovalOut,
    responses=problems(404, 409, *WRITES),
    summary="Refuse it, or withdraw your own; it never happens then",
)
async def reject(
    request_id: RequestId, wanted: Rejected, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    return await _answer(
        services, principal, once, request_id, "reject", wanted.reason,
        version=wanted.version, as_person=wanted.as_person,
    )  # fmt: skip


@router.post(
    "/{request_id}/code",
    response_model=CodeOut,
    responses=problems(404, 409, *WRITES),
    summary="A code with which you can answer in Temporal's own pages",
)
async def make_code(
    request_id: RequestId, services: ServicesDep, principal: Anyone, wanted: CodeFor | None = None
) -> CodeOut:
    """Shown once and kept by its hash alone, so a lost answer means another call, which voids the code before. Five wrong
    codes void all codes of a request."""
    async with services.database.transaction() as session:
        row, code = await approving.give_code(
            session, services, principal, request_id, wanted.as_person if wanted else None
        )
        assert row.workflow_id is not None
        return CodeOut(
            request_id=row.id, workflow_id=row.workflow_id, code=approving.spelled(code), expires_at=row.expires_at
        )


async def show(session: AsyncSession, principal: Principal, row: ApprovalRequest) -> ApprovalOut:
    return (await show_all(session, principal, [row]))[0]


async def show_all(session: AsyncSession, principal: Principal, rows: Sequence[ApprovalRequest]) -> list[ApprovalOut]:
    """Each with its answers and the names of its people."""
    given = await approvals.answers_of(session, [row.id for row in rows])
    people = {row.requested_by for row in rows} | {one.person_id for some in given.values() for one in some}
    names = await approving.names_of(session, sorted(people))
    return [ApprovalOut.of(row, given[row.id], names, principal) for row in rows]


async def _answer(
    services: Services,
    principal: Principal,
    once: Once,
    request_id: str,
    decision: Answer,
    reason: str | None,
    *,
    version: str | None,
    as_person: str | None,
) -> Response:
    async def reply(session: AsyncSession, row: ApprovalRequest) -> Response:
        return await once.reply(session, await show(session, principal, row), status=200)

    return await approving.answer_and_tell(
        services, principal, request_id, decision,
        reason=reason, version=version, as_person=as_person, channel="api", reply=reply,
    )  # fmt: skip
