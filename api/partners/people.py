"""The people behind keys. For admins alone."""

from fastapi import APIRouter, Response

from api.http.auth import Admin
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.partners.keys_schemas import PersonNew, PersonOut
from api.partners.new_people import person_made
from store.platform import partners, people

router = APIRouter(prefix="/api/v1/people", tags=["keys"], dependencies=KNOWN_PARAMETERS)


@router.post(
    "",
    status_code=201,
    response_model=PersonOut,
    responses=problems(404, "idempotency_key_reused", *WRITES),
    summary="Add a person who will have keys",
)
async def create_person(wanted: PersonNew, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    async with services.database.transaction() as session:
        if wanted.partner_id:
            await partners.get(session, wanted.partner_id)
        row = await person_made(session, wanted.name, wanted.partner_id, admin)
        return await once.reply(session, PersonOut.of(row), status=201)


@router.get("", responses=problems(), summary="List the people behind keys, newest first")
async def list_people(
    services: ServicesDep, admin: Admin, partner_id: PartnerFilter = None, cursor: IdCursor = None, limit: Limit = 50
) -> Page[PersonOut]:
    async with services.database.transaction() as session:
        rows = await people.page(session, partner_id=partner_id, before=cursor, limit=limit + 1)
    return page(rows, limit, PersonOut.of, lambda row: row.id)
