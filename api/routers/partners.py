"""Lenders: made, read, changed."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api import chores
from api.auth import Admin, PartnerReader, PartnerWriter
from api.dependencies import House
from api.documented import WRITES, problems
from api.idempotency import Idempotent
from api.known_parameters import KNOWN_PARAMETERS
from api.paging import IdCursor, Limit, Page, page
from api.schemas.partners import HookAddress, PartnerChange, PartnerDetail, PartnerNew, PartnerOut
from api.schemas.values import MoneyIn, id_pattern
from core.clock import utc_now
from core.errors import Conflict, InvalidRequest, NotAllowed
from core.ids import CONNECTION, CONTACT, PARTNER, new_id
from models.messages.connections import SealedConnection
from models.tables.partners import Connection, Contact, Partner
from store import audit, partner_admin, partners
from store.partner_admin import connections

router = APIRouter(prefix="/api/v1/partners", tags=["partners"], dependencies=KNOWN_PARAMETERS)

# What we want to hear of: loans to pay out (A3), payments to confirm to the customer (A11).
HOOK_EVENTS = (("LOAN", "APPROVE"), ("LOAN", "REPAYMENT"), ("SAVINGSACCOUNT", "DEPOSIT"))

PartnerId = Annotated[str, Path(pattern=id_pattern(PARTNER))]


@router.post(
    "",
    status_code=201,
    response_model=PartnerDetail,
    responses=problems(409, *WRITES),
    summary="Make a partner, after trying each connection that is given",
)
async def create_partner(wanted: PartnerNew, house: House, admin: Admin, once: Idempotent) -> Response:
    """A connection that is refused or cannot be reached is a 422 that names the field to blame (`fineract.password`);
    nothing is stored then."""
    async with house.database.transaction() as session:
        if await partner_admin.name_is_taken(session, wanted.name):
            raise Conflict("Another partner has this name.", code="name_taken", field="name")
    partner = _row(wanted)
    for given in wanted.connections:
        chores.keeps_currency(partner.currency, given)
    sealed = [chores.sealed_connection(house, partner.id, given) for given in wanted.connections]
    for connection in sealed:
        await chores.check_or_refuse(house, connection)
    rows = [_connection(connection) for connection in sealed]
    contacts = [
        Contact(
            id=new_id(CONTACT),
            partner_id=partner.id,
            name=contact.name,
            phone=contact.phone.e164 if contact.phone else None,
            email=contact.email,
            role=contact.role,
            language=contact.language or partner.language,
        )
        for contact in wanted.contacts
    ]
    async with house.database.transaction() as session:
        await partner_admin.add(session, partner, rows, contacts)
        shown = PartnerDetail.whole(partner, rows, contacts)
        await audit.write(
            session, actor=admin.id, action="partners.create", subject=partner.id, after=shown.model_dump(mode="json")
        )
        response = await once.reply(session, shown, status=201, location=f"/api/v1/partners/{partner.id}")
        for given in wanted.connections:
            # Before the commit: a partner without its poll would wait for ever, a poll without its partner only fails.
            await chores.watch(house, partner.id, given)
    return response


@router.get("", responses=problems(), summary="List the partners that the key sees, newest first")
async def list_partners(
    house: House, principal: PartnerReader, cursor: IdCursor = None, limit: Limit = 50
) -> Page[PartnerOut]:
    async with house.database.transaction() as session:
        rows = await partner_admin.page(session, only=principal.partner_id, before=cursor, limit=limit + 1)
    return page(rows, limit, PartnerOut.of, lambda row: row.id)


@router.get("/{partner_id}", responses=problems(404), summary="One partner, its connections and contacts")
async def get_partner(partner_id: PartnerId, house: House, principal: PartnerReader) -> PartnerDetail:
    principal.visible(partner_id)
    async with house.database.transaction() as session:
        return PartnerDetail.whole(
            await partners.get(session, partner_id),
            await connections(session, partner_id),
            await partners.contacts(session, partner_id),
        )


@router.patch("/{partner_id}", responses=problems(404, 409, *WRITES), summary="Change what is given")
async def change_partner(
    partner_id: PartnerId, wanted: PartnerChange, house: House, principal: PartnerWriter
) -> PartnerOut:
    principal.visible(partner_id)
    if not principal.is_admin and not wanted.model_fields_set.isdisjoint({"name", "status"}):
        raise NotAllowed("Name and status are changed by admins.", code="admin_only")
    async with house.database.transaction() as session:
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


@router.get("/{partner_id}/hook", responses=problems(404), summary="The secret address for the partner's Fineract hook")
async def get_hook(partner_id: PartnerId, house: House, principal: PartnerWriter) -> HookAddress:
    principal.visible(partner_id)
    async with house.database.transaction() as session:
        partner = await partners.get(session, partner_id)
    return HookAddress(
        url=f"{house.settings.callbacks.base_url.rstrip('/')}/cb/hooks/{partner.hook_secret}/",
        events=[{"entity": entity, "action": action} for entity, action in HOOK_EVENTS],
    )


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
        hook_secret=secrets.token_hex(24),
        low_balance_minor=_low_balance(wanted.low_balance, wanted.currency),
        created_at=now,
        updated_at=now,
    )


def _connection(sealed: SealedConnection) -> Connection:
    now = utc_now()
    assert sealed.partner_id is not None
    row = Connection(
        id=new_id(CONNECTION), partner_id=sealed.partner_id, provider=sealed.provider, settings={}, sealed="",
        version=1, status="ok", created_at=now, updated_at=now,
    )  # fmt: skip
    chores.take_over(row, sealed)
    return row


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
