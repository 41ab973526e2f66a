"""The people behind keys, and those who sign in. For admins alone."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.auth import Admin
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.partners import new_people
from api.partners.people_schemas import InvitationOut, PersonChange, PersonNew, PersonOut
from core.errors import NotFound
from core.ids import PERSON
from store.platform import partners, people

router = APIRouter(prefix="/api/v1/people", tags=["people"], dependencies=KNOWN_PARAMETERS)

PersonId = Annotated[str, Path(pattern=id_pattern(PERSON))]


@router.post(
    "",
    status_code=201,
    response_model=PersonOut,
    responses=problems(404, "idempotency_key_reused", *WRITES),
    summary="Add a person who will have keys or sign in",
)
async def create_person(wanted: PersonNew, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    async with services.database.transaction() as session:
        if wanted.partner_id:
            await partners.get(session, wanted.partner_id)
        row = await new_people.person_made(session, wanted, admin)
        return await once.reply(session, PersonOut.of(row), status=201)


@router.get("", responses=problems(), summary="List people, newest first")
async def list_people(
    services: ServicesDep, admin: Admin, partner_id: PartnerFilter = None, cursor: IdCursor = None, limit: Limit = 50
) -> Page[PersonOut]:
    async with services.database.transaction() as session:
        rows = await people.page(session, partner_id=partner_id, before=cursor, limit=limit + 1)
    return page(rows, limit, PersonOut.of, lambda row: row.id)


@router.get("/{person_id}", responses=problems(404), summary="One person")
async def get_person(person_id: PersonId, services: ServicesDep, admin: Admin) -> PersonOut:
    async with services.database.transaction() as session:
        row = await people.get(session, person_id)
    if row is None:
        raise NotFound("No person has that id.", field="person_id")
    return PersonOut.of(row)


@router.patch(
    "/{person_id}", responses=problems(404, 409, *WRITES), summary="Change a person's name, address or scopes"
)
async def change_person(
    person_id: PersonId, wanted: PersonChange, services: ServicesDep, admin: Admin
) -> PersonOut:  # fmt: skip
    """Another address ends their sessions and invitations. Other scopes count from the next click on."""
    async with services.database.transaction() as session:
        return PersonOut.of(await new_people.change(session, person_id, wanted, admin))


@router.post(
    "/{person_id}/invite",
    response_model=InvitationOut,
    responses=problems(404, 409, *WRITES),
    summary="Make the link by which a person sets a password",
)
async def invite_person(person_id: PersonId, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """Also for somebody who has lost password or phone: the old ones work until the link is used, which ends all sessions.
    Whoever makes it is no second person to whoever uses it, but for the installation's first key."""
    async with services.database.transaction() as session:
        made = await new_people.invite(session, services, person_id, admin)
        return await once.reply(session, made, status=200, secret=True)


@router.post(
    "/{person_id}/disable",
    response_model=PersonOut,
    responses=problems(404, 409, *WRITES),
    summary="Shut a person out of the console, at once",
)
async def disable_person(person_id: PersonId, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """Their sessions and invitations end. Their keys are revoked one by one: software may use them."""
    async with services.database.transaction() as session:
        row = await new_people.disable(session, person_id, admin, disabled=True)
        return await once.reply(session, PersonOut.of(row), status=200)


@router.post(
    "/{person_id}/enable",
    response_model=PersonOut,
    responses=problems(404, 409, *WRITES),
    summary="Let a person in again who was shut out",
)
async def enable_person(person_id: PersonId, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    async with services.database.transaction() as session:
        row = await new_people.disable(session, person_id, admin, disabled=False)
        return await once.reply(session, PersonOut.of(row), status=200)
