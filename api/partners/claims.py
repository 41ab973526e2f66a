"""What is outside is claimed once in the world: who has what, and moving it. For the platform alone."""

from fastapi import APIRouter, Response

from api.http.auth import Admin
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import Limit, Page, PartnerFilter, page
from api.operations import approving
from api.operations.approvals import show
from api.operations.approvals_schemas import ApprovalOut
from api.partners.claims_moved import MOVE, subject_of
from api.partners.claims_schemas import ClaimMove, ClaimOut
from core.errors import Conflict
from models.providers import ClaimKind
from store.platform import claims, partners

router = APIRouter(prefix="/api/v1/claims", tags=["partners"], dependencies=KNOWN_PARAMETERS)


@router.get("", responses=problems(), summary="Who has which tenant, short code and bank account")
async def list_claims(
    services: ServicesDep,
    admin: Admin,
    kind: ClaimKind | None = None,
    partner_id: PartnerFilter = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[ClaimOut]:
    """In the order of kind and key."""
    async with services.database.transaction() as session:
        rows = await claims.page(session, kind=kind, partner_id=partner_id, after=cursor, limit=limit + 1)
    return page(rows, limit, ClaimOut.of, lambda row: subject_of(row.kind, row.key))


@router.post(
    "/move", status_code=202, response_model=ApprovalOut, responses=problems(
        404, "claimed_already", "is_a_name", "in_use", "proposed_otherwise", "idempotency_key_reused", *WRITES
    ),
    summary="Propose that a claim goes to another partner",
)  # fmt: skip
async def propose_move(wanted: ClaimMove, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """Done once a second person agrees (`POST /api/v1/approvals/{request_id}/approve`). The holder's connection becomes
    unproven then; what was paid under a tenant stays known, so that nothing of it is paid again."""
    content = {"kind": wanted.kind, "key": wanted.key, "to_partner_id": wanted.to_partner_id}
    async with services.database.transaction() as session:
        await partners.active(session, wanted.to_partner_id)
        await claims.may_move(session, wanted.kind, wanted.key, wanted.to_partner_id)
        row = await approving.propose(
            session, admin, MOVE, subject=subject_of(wanted.kind, wanted.key), partner_id=None, content=content,
            evidence=wanted.evidence,
        )  # fmt: skip
        if row.content != content:
            raise Conflict(
                "Another move of this claim is proposed; reject that first.", code="proposed_otherwise",
                approval_id=row.id,
            )  # fmt: skip
        shown = await show(session, admin, row)
        return await once.reply(session, shown, status=202, location=f"/api/v1/approvals/{row.id}")
