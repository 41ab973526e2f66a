"""API keys: made, listed, revoked. For admins alone."""

from fastapi import APIRouter, Path, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import Admin, Principal, new_key
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, PartnerFilter, page
from api.http.values import id_pattern
from api.partners.keys_schemas import KeyMade, KeyNew, KeyOut, refuse_house_scopes
from api.partners.new_people import person_made
from api.partners.people_schemas import PersonNew
from core.clock import utc_now
from core.crypto import sha256_hex
from core.errors import Conflict, InvalidRequest, NotFound
from core.ids import API_KEY, new_id
from models.tables.platform.security import ApiKey
from store.platform import api_keys, audit, partners, people

router = APIRouter(prefix="/api/v1/keys", tags=["keys"], dependencies=KNOWN_PARAMETERS)


@router.post(
    "",
    status_code=201,
    response_model=KeyMade,
    responses=problems(404, "name_taken", "idempotency_key_reused", *WRITES),
    summary="Make a key; it is shown this once",
)
async def create_key(wanted: KeyNew, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    refuse_house_scopes(wanted.partner_id, wanted.scopes)
    key, prefix = new_key()
    async with services.database.transaction() as session:
        if wanted.partner_id:
            await partners.get(session, wanted.partner_id)
        row = ApiKey(
            id=new_id(API_KEY),
            name=wanted.name,
            partner_id=wanted.partner_id,
            scopes=list(wanted.scopes),
            prefix=prefix,
            hash=sha256_hex(key),
            person_id=await _person_of(session, wanted, admin),
            makers=admin.makers,
            created_at=utc_now(),
            created_by=admin.id,
        )
        if not await api_keys.add(session, row):
            raise Conflict("A living key has this name; revoke it first.", code="name_taken", field="name")
        shown = KeyOut.of(row)
        await audit.write(
            session, actor=admin.id, action="keys.create", subject=row.id, after=shown.model_dump(mode="json")
        )
        return await once.reply(
            session,
            KeyMade(**shown.model_dump(), key=key),
            status=201,
            location=f"/api/v1/keys/{row.id}",
            secret=True,
        )


@router.get("", responses=problems(), summary="List keys, newest first, revoked ones too")
async def list_keys(
    services: ServicesDep, admin: Admin, partner_id: PartnerFilter = None, cursor: IdCursor = None, limit: Limit = 50
) -> Page[KeyOut]:
    async with services.database.transaction() as session:
        rows = await api_keys.page(session, partner_id=partner_id, before=cursor, limit=limit + 1)
    return page(rows, limit, KeyOut.of, lambda row: row.id)


@router.delete("/{key_id}", responses=problems(404), summary="Revoke a key, at once and for good")
async def revoke_key(services: ServicesDep, admin: Admin, key_id: str = Path(pattern=id_pattern(API_KEY))) -> KeyOut:
    async with services.database.transaction() as session:
        row = await api_keys.get(session, key_id)
        if row is None:
            raise NotFound("No key has that id.", field="key_id")
        now = utc_now()
        if await api_keys.revoke(session, key_id, now):
            row.revoked_at = now
            await audit.write(
                session,
                actor=admin.id,
                action="keys.revoke",
                subject=key_id,
                before={"revoked_at": None},
                after={"revoked_at": now.isoformat()},
            )
        return KeyOut.of(row)


async def _person_of(session: AsyncSession, wanted: KeyNew, admin: Principal) -> str:
    """Whose the key will be; by default whoever makes it. Raises InvalidRequest for a person who is not known, or is of
    another partner than the key."""
    if wanted.new_person is not None:
        new = PersonNew(name=wanted.new_person, partner_id=wanted.partner_id)
        return (await person_made(session, new, admin)).id
    if wanted.person is None:
        return admin.person_id
    person = await people.get(session, wanted.person)
    if person is None:
        raise InvalidRequest("No person has that id.", code="unknown_person", field="person")
    if person.partner_id is not None and person.partner_id != wanted.partner_id:
        raise InvalidRequest("That person is of another partner.", code="person_of_another", field="person")
    return person.id
