"""Proposals that wait for a second person: listed, agreed to, declined. They are made where the act is asked for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from api.http.auth import Anyone
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.operations import two_people
from api.operations.proposals_schemas import Agreed, Declined, ProposalOut
from core.clock import utc_now
from core.ids import PROPOSAL
from store.platform import proposals as rows_of

router = APIRouter(prefix="/api/v1/proposals", tags=["proposals"], dependencies=KNOWN_PARAMETERS)

ProposalId = Annotated[str, Path(pattern=id_pattern(PROPOSAL))]
ActFilter = Annotated[
    str | None, Query(pattern=f"^({'|'.join(sorted(two_people.ACTS))})$", description="Only those of this act")
]


@router.get("", responses=problems(404), summary="List proposals, newest first")
async def list_proposals(
    services: ServicesDep,
    principal: Anyone,
    state: Literal["open", "agreed", "declined", "expired"] | None = None,
    act: ActFilter = None,
    partner_id: PartnerFilter = None,
    cursor: IdCursor = None,
    limit: Limit = 50,
) -> Page[ProposalOut]:
    """Those that the key's scopes would let it agree to or decline."""
    if partner_id is not None:
        principal.visible(partner_id)
    mine = two_people.acts_of(principal)
    async with services.database.transaction() as session:
        rows = await rows_of.page(
            session, partner_id=partner_id or principal.partner_id, state=state,
            acts=[name for name in mine if act in (None, name)], now=utc_now(), before=cursor, limit=limit + 1,
        )  # fmt: skip
    return page(rows, limit, ProposalOut.of, lambda row: row.id)


@router.get("/{proposal_id}", responses=problems(404), summary="One proposal")
async def get_proposal(proposal_id: ProposalId, services: ServicesDep, principal: Anyone) -> ProposalOut:
    async with services.database.transaction() as session:
        return ProposalOut.of(await two_people.find(session, principal, proposal_id))


@router.post(
    "/{proposal_id}/agree",
    response_model=ProposalOut,
    responses=problems(404, "already_decided", "expired", "four_eyes", "superseded", "idempotency_key_reused", *WRITES),
    summary="Agree as the second person; then it is done",
)
async def agree_to_proposal(
    proposal_id: ProposalId, services: ServicesDep, principal: Anyone, once: Idempotent, wanted: Agreed | None = None
) -> Response:
    """409 `four_eyes` for those who proposed it: all keys of one person are one, and so are keys that they made."""
    async with services.database.transaction() as session:
        note = wanted.note if wanted else None
        row, afterwards = await two_people.agree(session, services, principal, proposal_id, note)
        response = await once.reply(session, ProposalOut.of(row), status=200)
    if afterwards is not None:
        await afterwards()
    return response


@router.post(
    "/{proposal_id}/decline",
    response_model=ProposalOut,
    responses=problems(404, "already_decided", "expired", "idempotency_key_reused", *WRITES),
    summary="Decline or withdraw it; it never happens then",
)
async def decline_proposal(
    proposal_id: ProposalId, wanted: Declined, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    async with services.database.transaction() as session:
        row = await two_people.decline(session, principal, proposal_id, wanted.reason)
        return await once.reply(session, ProposalOut.of(row), status=200)
