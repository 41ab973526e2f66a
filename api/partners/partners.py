"""Partners: made, read, changed."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api.http.auth import Admin, PartnerReader, PartnerWriter
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, Page, page
from api.http.values import MoneyIn, id_pattern
from api.partners import connection_jobs
from api.partners.partners_schemas import PartnerChange, PartnerDetail, PartnerNew, PartnerOut
from api.partners.proving import claim, prove, tell_house
from api.saga.money_rules import phone_of
from core.clock import utc_now
from core.errors import Conflict, InvalidRequest, NotAllowed
from core.ids import CONTACT, PARTNER, new_id
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner
from store.platform import audit, partner_admin, partners
from store.platform.partner_admin import connections

router = APIRouter(prefix="/api/v1/partners", tags=["partners"], dependencies=KNOWN_PARAMETERS)

PartnerId = Annotated[str, Path(pattern=id_pattern(PARTNER))]


@router.post(
    "",
    status_code=201,
    response_model=PartnerDetail,
    responses=problems("name_taken", "claimed_elsewhere", "idempotency_key_reused", *WRITES),
    summary="Make a partner, after trying each connection that is given",
)
async def create_partner(wanted: PartnerNew, services: ServicesDep, admin: Admin, once: Idempotent) -> Response:
    """A connection that is refused or cannot be reached is a 422 that names the field to blame (`fineract.password`);
    nothing is stored then. Nor is it of a connection that names what another partner has: 409 `claimed_elsewhere`."""
    phones = [
        phone_of(contact.phone, wanted.country, f"contacts.{number}.phone").e164 if contact.phone else None
        for number, contact in enumerate(wanted.contacts)
    ]
    async with services.database.transaction() as session:
        if await partner_admin.name_is_taken(session, wanted.name):
            raise Conflict("Another partner has this name.", code="name_taken", field="name")
    partner = _row(wanted)
    for given in wanted.connections:
        connection_jobs.keeps_currency(partner.currency, given)
    sealed = [connection_jobs.sealed_connection(services, partner.id, given) for given in wanted.connections]
    proofs = [await prove(services, admin, connection, None) for connection in sealed]
    rows = [connection_jobs.new_row(connection) for connection in sealed]
    for row, connection, proof in zip(rows, sealed, proofs, strict=True):
        connection_jobs.take_over(services, row, connection, proof.status, proof.detail)
    contacts = [
        Contact(
            id=new_id(CONTACT),
            partner_id=partner.id,
            name=contact.name,
            phone=phone,
            email=contact.email,
            role=contact.role,
            language=contact.language or partner.language,
        )
        for contact, phone in zip(wanted.contacts, phones, strict=True)
    ]
    try:
        async with services.database.transaction() as session:
            await partner_admin.add(session, partner, rows, contacts)
            for row, proof in zip(rows, proofs, strict=True):
                await claim(session, admin, row, proof)
                session.add(row)
            shown = PartnerDetail.whole(partner, rows, contacts)
            await audit.write(
                session, actor=admin.id, action="partners.create", subject=partner.id,
                after=shown.model_dump(mode="json"),
            )  # fmt: skip
            response = await once.reply(session, shown, status=201, location=f"/api/v1/partners/{partner.id}")
            for row in rows:
                # Before the commit: a partner without its poll would wait for ever, a poll without its partner only fails.
                await connection_jobs.watch(services, row)
    except Conflict as refused:
        if refused.code == "claimed_elsewhere":
            await tell_house(services, admin, partner.id, refused)
        raise
    return response


@router.get("", responses=problems(), summary="List the partners that the key sees, newest first")
async def list_partners(
    services: ServicesDep, principal: PartnerReader, cursor: IdCursor = None, limit: Limit = 50
) -> Page[PartnerOut]:
    async with services.database.transaction() as session:
        rows = await partner_admin.page(session, only=principal.partner_id, before=cursor, limit=limit + 1)
    return page(rows, limit, PartnerOut.of, lambda row: row.id)


@router.get("/{partner_id}", responses=problems(404), summary="One partner, its connections and contacts")
async def get_partner(partner_id: PartnerId, services: ServicesDep, principal: PartnerReader) -> PartnerDetail:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        return PartnerDetail.whole(
            await partners.get(session, partner_id),
            await connections(session, partner_id),
            await partners.contacts(session, partner_id, proposed_too=True),
        )


@router.patch("/{partner_id}", responses=problems(404, "name_taken", *WRITES), summary="Change what is given")
async def change_partner(
    partner_id: PartnerId, wanted: PartnerChange, services: ServicesDep, principal: PartnerWriter
) -> PartnerOut:
    principal.visible(partner_id)
    if not principal.is_admin and not wanted.model_fields_set.isdisjoint({"name", "status"}):
        raise NotAllowed("Name and status are changed by admins.", code="admin_only")
    async with services.database.transaction() as session:
        row = await partner_admin.lock(session, partner_id)
        before = PartnerOut.of(row).model_dump(mode="json")
        for name, value in _changes(wanted, row.currency).items():
            setattr(row, name, value)
        row.updated_at = utc_now()
        await partner_admin.save(session, row)
        after = PartnerOut.of(row)
        await audit.write(
            session,
            actor=principal.id,
            action="partners.change",
            subject=partner_id,
            before=before,
            after=after.model_dump(mode="json"),
        )
    return after


def _row(wanted: PartnerNew) -> Partner:
    now = utc_now()
    return Partner(
        id=new_id(PARTNER),
        name=wanted.name,
        currency=wanted.currency,
        country=wanted.country,
        timezone=wanted.timezone,
        language=wanted.language,
        status="active",
        low_balance_minor=_low_balance(wanted.low_balance, wanted.currency),
        created_at=now,
        updated_at=now,
    )


def _changes(wanted: PartnerChange, currency: str) -> dict[str, Any]:
    """Columns and their new values. A field that is given as null stays as it is."""
    values = wanted.model_dump(exclude={"low_balance"}, exclude_none=True)
    if wanted.low_balance is not None:
        values["low_balance_minor"] = _low_balance(wanted.low_balance, currency)
    return values


def _low_balance(given: MoneyIn | None, currency: str) -> int:
    if given is None:
        return 0
    if given.currency != currency:
        raise InvalidRequest(
            f"The partner's currency is {currency}.", code="currency_differs", field="low_balance.currency"
        )
    return given.money.minor
