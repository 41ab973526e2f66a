"""Who may answer in whose stead, and how many must agree to what: data, which admins of the platform set.

A change of a policy needs another admin itself: otherwise one could lower the bar and step over it.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Admin
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, page
from api.http.values import id_pattern
from api.operations import approving
from api.operations.acts import Act
from api.operations.approvals import ActFilter, show
from api.operations.approvals_schemas import ApprovalOut, DelegationIn, DelegationOut, Policies, PolicyIn, PolicyOut
from core.clock import utc_now
from core.errors import Conflict, NotFound
from core.ids import DELEGATION, new_id
from models.tables.platform.approval import ApprovalRequest
from store.platform import approval_policies, approvers, audit, people

router = APIRouter(prefix="/api/v1/approval-rules", tags=["approvals"], dependencies=KNOWN_PARAMETERS)

DelegationId = Annotated[str, Path(pattern=id_pattern(DELEGATION))]
POLICY: Final = "approvals.policy"


async def _set_policy(session: AsyncSession, services: Services, request: ApprovalRequest) -> None:
    await approval_policies.put(session, **request.content)


ACTS: Final = (
    Act(POLICY, "How many must agree to an act is changed.", "admin", carry_out=_set_policy, house_only=True),
)


@router.get("/policies", responses=problems(), summary="How many must agree to what, and how patient a request is")
async def list_policies(services: ServicesDep, admin: Admin, act: ActFilter = None) -> Policies:
    """By act and threshold."""
    admin.only_platform("The platform's own people set this.")
    async with services.database.transaction() as session:
        rows = await approval_policies.page(session)
    return Policies(items=[PolicyOut.of(row) for row in rows if act in (None, row.act)])


@router.post(
    "/policies",
    status_code=202,
    response_model=ApprovalOut,
    responses=problems(409, *WRITES),
    summary="Propose how many must agree; another admin approves",
)
async def propose_policy(wanted: PolicyIn, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    content = wanted.model_dump(mode="json", exclude={"evidence"})
    async with services.database.transaction() as session:
        row = await approving.propose(
            session, admin, POLICY, subject=f"{wanted.act}/{wanted.currency}/{wanted.from_minor}", partner_id=None,
            content=content, evidence=wanted.evidence,
        )  # fmt: skip
        if row.content != content:
            raise Conflict("Another change of this policy waits; reject that first.", code="proposed_otherwise",
                           approval_id=row.id)  # fmt: skip
        shown = await show(session, admin, row)
        return await once.reply(session, shown, status=202, location=f"/api/v1/approvals/{row.id}")


@router.get("/delegations", responses=problems(), summary="List who may answer in whose stead, newest first")
async def list_delegations(
    services: ServicesDep, admin: Admin, cursor: IdCursor = None, limit: Limit = 50
) -> Page[DelegationOut]:
    admin.only_platform("The platform's own people set this.")
    async with services.database.transaction() as session:
        rows = await approvers.delegations(session, before=cursor, limit=limit + 1)
    return page(rows, limit, DelegationOut.of, lambda row: row.id)


@router.post(
    "/delegations",
    status_code=201,
    response_model=DelegationOut,
    responses=problems(404, 409, *WRITES),
    summary="Let one person answer in another's stead for a time",
)
async def delegate(wanted: DelegationIn, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """Delegate and who delegated are one person to every request: neither is a second one to the other. 409 `own_delegation`
    for an admin who would delegate to themselves."""
    admin.only_platform("The platform's own people set this.")
    if wanted.to_person in admin.people:
        raise Conflict("Another admin must delegate to you.", code="own_delegation")
    async with services.database.transaction() as session:
        for field, person_id in (("from_person", wanted.from_person), ("to_person", wanted.to_person)):
            if await people.get(session, person_id) is None:
                raise NotFound("Nobody has that id.", field=field)
        row = await approvers.delegate(
            session, new_id(DELEGATION), from_person=wanted.from_person, to_person=wanted.to_person,
            since=wanted.since, until=wanted.until, made_by=admin.person_id,
        )  # fmt: skip
        shown = DelegationOut.of(row)
        await audit.write(
            session, actor=admin.id, action="delegations.make", subject=row.id, after=shown.model_dump(mode="json")
        )
        return await once.reply(session, shown, status=201)


@router.delete("/delegations/{delegation_id}", responses=problems(404, *WRITES), summary="End a delegation now")
async def revoke_delegation(delegation_id: DelegationId, services: ServicesDep, admin: Admin) -> DelegationOut:
    admin.only_platform("The platform's own people set this.")
    async with services.database.transaction() as session:
        row = await approvers.get_delegation(session, delegation_id)
        if row is None:
            raise NotFound("No delegation has that id.", field="delegation_id")
        if row.revoked_at is None:
            row.revoked_at = utc_now()
            session.add(row)
            await audit.write(session, actor=admin.id, action="delegations.revoke", subject=row.id)
        return DelegationOut.of(row)
