"""A partner's connections and contacts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.auth import PartnerReader, PartnerWriter, Principal
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, again, problems
from api.http.values import Out, id_pattern
from api.operations import approving
from api.partners import connection_jobs
from api.partners.bank_schemas import BankIn
from api.partners.connections_schemas import (
    ConnectionIn,
    ConnectionOut,
    DarajaIn,
    FineractIn,
    PaybillIn,
    PaybillOut,
    ProviderBalanceOut,
    PushAddress,
    PushAddresses,
)
from api.partners.contacts import AUTHORISE, announce
from api.partners.partners import PartnerId
from api.partners.partners_schemas import ContactIn, ContactOut
from api.partners.proving import claim, prove, refuse_while_in_use, tell_house
from api.saga.money_rules import phone_of
from core.clock import utc_now
from core.errors import Conflict, NotFound
from core.ids import CONTACT, new_id
from models import providers
from models.messages.connections.jobs import RegisterPaybill
from models.messages.connections.sealed import SealedConnection
from models.providers import ProviderName
from models.tables.platform.connection import Connection
from models.tables.platform.contact import Contact
from notices import blocked
from store.platform import approvals, audit, partner_admin, partners, provider_balances
from temporal.schedules import ensure_watch

router = APIRouter(prefix="/api/v1/partners/{partner_id}", tags=["partners"], dependencies=KNOWN_PARAMETERS)


Moved = Annotated[
    bool,
    Query(description="The same system at another address: payments under way go on there. For the platform alone"),
]


class ProviderBalances(Out):
    """What the partner's providers last told us of its accounts there."""

    items: list[ProviderBalanceOut]


@router.put(
    "/connections/fineract",
    responses=problems(404, "claimed_elsewhere", "in_use", "changed_meanwhile", "already_running", *WRITES),
    summary="Give or rotate Fineract's settings",
)
async def put_fineract(
    partner_id: PartnerId, wanted: FineractIn, services: ServicesDep, principal: PartnerWriter, moved: Moved = False
) -> ConnectionOut:
    """Tried first: what does not work is a 422 that names the field, and the old settings stay. What a partner's key gives
    at an address that the platform has not vetted is kept as `unproven`, and nothing is sent there. 409
    `claimed_elsewhere` if another partner has the tenant."""
    return await give(partner_id, wanted, services, principal, moved)


@router.put(
    "/connections/daraja",
    responses=problems(404, "claimed_elsewhere", "in_use", "changed_meanwhile", "already_running", *WRITES),
    summary="Give or rotate M-Pesa's settings",
)
async def put_daraja(
    partner_id: PartnerId, wanted: DarajaIn, services: ServicesDep, principal: PartnerWriter, moved: Moved = False
) -> ConnectionOut:
    """Tried first, with a question for the balance, whose answer proves the short code: without it within some seconds the
    connection is `unchecked`. Working credentials also lift a block: payouts that waited for them go on."""
    return await give(partner_id, wanted, services, principal, moved)


@router.put(
    "/connections/bank",
    responses=problems(404, "claimed_elsewhere", "in_use", "changed_meanwhile", "already_running", *WRITES),
    summary="Give or rotate the bank's settings",
)
async def put_bank(
    partner_id: PartnerId, wanted: BankIn, services: ServicesDep, principal: PartnerWriter, moved: Moved = False
) -> ConnectionOut:
    """For the platform alone: who sets what proves a push credits a wallet. Tried first. The bank must be told its address:
    see `address`."""
    principal.only_platform("A bank connection feeds the wallet, so the platform gives it.")
    return await give(partner_id, wanted, services, principal, moved)


@router.get(
    "/connections/{provider}/address",
    responses=problems(404, "no_address"),
    summary="The secret addresses for announced payments",
)
async def get_connection_address(
    partner_id: PartnerId, provider: ProviderName, services: ServicesDep, principal: PartnerWriter
) -> PushAddresses:
    """Where payments are announced is for the platform alone: whoever knows one could tell of payments that nobody made.
    M-Pesa's is registered by `register-paybill`, which shows nothing; a bank's by the bank."""
    principal.visible(partner_id)
    if providers.named(provider).tells_of_money:
        principal.only_platform("An address at which payments are announced is the platform's secret.")
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        row = await partners.connection(session, partner_id, provider)
    address = connection_jobs.address_of(services, row)
    calls = providers.named(provider).calls
    return PushAddresses(
        provider=provider, items=[PushAddress(purpose=purpose, url=f"{address}{end}") for purpose, end in calls]
    )


@router.post(
    "/connections/daraja/register-paybill",
    response_model=PaybillOut,
    responses=problems(404, "no_address", "already_running", "idempotency_key_reused", *WRITES),
    summary="Have M-Pesa announce payments to the short code",
)
async def register_paybill(
    partner_id: PartnerId, wanted: PaybillIn, services: ServicesDep, principal: PartnerWriter, once: Idempotent
) -> Response:
    """May be repeated. From then on the list of payments is pulled too, for announcements that were lost."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        partner = await partners.active(session, partner_id)
        nominated = phone_of(wanted.nominated_phone, partner.country, "nominated_phone")
        row = await partners.connection(session, partner_id, "daraja")
        connection_jobs.address_of(services, row)
    done = await connection_jobs.register_paybill(
        services,
        RegisterPaybill(partner_id=partner_id, nominated=nominated, unanswered=wanted.unanswered),
    )
    shown = PaybillOut(announcements=_said(done.announcements), pull=_said(done.pull))
    async with services.database.transaction() as session:
        await audit.write(
            session,
            actor=principal.id,
            action="connections.register_paybill",
            subject=row.id,
            after={**shown.model_dump(mode="json"), "unanswered": wanted.unanswered},
        )
        if not connection_jobs.is_watched(services, row):
            await ensure_watch(services.client, "daraja", partner_id)
        return await once.reply(session, shown, status=200)


@router.post(
    "/connections/{provider}/check",
    response_model=ConnectionOut,
    responses=problems(404, "already_running", "idempotency_key_reused"),
    summary="Try a connection now",
)
async def check_connection(
    partner_id: PartnerId, provider: ProviderName, services: ServicesDep, principal: PartnerWriter, once: Idempotent
) -> Response:
    """A block stays: a harmless call does not prove that payouts would be taken. One that was `unproven` is proven now if
    the platform has vetted its address since."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        row = await partners.connection(session, partner_id, provider)
    if row.status == "unproven":
        shown = await _store(
            partner_id, connection_jobs.stored(row), services, principal, row, action="connections.check"
        )
        async with services.database.transaction() as session:
            return await once.reply(session, shown, status=200)
    checked = await connection_jobs.check(services, connection_jobs.stored(row))
    async with services.database.transaction() as session:
        current = await partner_admin.lock_connection(session, partner_id, provider)
        assert current is not None
        if current.version == row.version:
            before = current.status
            if current.status not in ("blocked", "unproven"):
                good = "ok" if checked.certain or current.status == "ok" else "unchecked"
                current.status = good if checked.ok else "failing"
                current.check_detail = None if checked.ok else checked.detail
            current.checked_at = utc_now()
            session.add(current)
            await audit.write(
                session,
                actor=principal.id,
                action="connections.check",
                subject=current.id,
                before={"status": before},
                after={"status": current.status, "ok": checked.ok, "code": checked.code},
            )
        return await once.reply(session, ConnectionOut.of(current), status=200)


@router.get("/provider-balances", responses=problems(404), summary="Balances at the providers, as last told")
async def list_provider_balances(
    partner_id: PartnerId, services: ServicesDep, principal: PartnerReader
) -> ProviderBalances:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        rows = await provider_balances.told(session, partner_id)
    return ProviderBalances(items=[ProviderBalanceOut.of(row) for row in rows])


@router.post(
    "/provider-balances/refresh",
    status_code=202,
    response_model=ProviderBalances,
    responses=problems(404, "already_running", "idempotency_key_reused"),
    summary="Ask the providers for balances",
)
async def refresh_provider_balances(
    partner_id: PartnerId, services: ServicesDep, principal: PartnerWriter, once: Idempotent
) -> Response:
    """The answer comes by callback, some seconds later; this is what is known until then."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.active(session, partner_id)
        await partners.connection(session, partner_id, "daraja")
        rows = await provider_balances.told(session, partner_id)
    await connection_jobs.query_balance(services, partner_id)
    shown = ProviderBalances(items=[ProviderBalanceOut.of(row) for row in rows])
    async with services.database.transaction() as session:
        return await once.reply(session, shown, status=202)


@router.post(
    "/contacts",
    status_code=201,
    response_model=ContactOut,
    responses=again(ContactOut) | problems(404, "idempotency_key_reused", *WRITES),
    summary="Add a contact",
)
async def add_contact(
    partner_id: PartnerId, wanted: ContactIn, services: ServicesDep, principal: PartnerWriter, once: Idempotent
) -> Response:
    """The same person with the same number, address and role is added once; then the answer is 200. An authorised one is
    only proposed, and announced to those there are: it counts once another person agrees to `approval_id`."""
    principal.visible(partner_id)
    row = Contact(
        id=new_id(CONTACT),
        partner_id=partner_id,
        name=wanted.name,
        phone=None,
        email=wanted.email,
        role=wanted.role,
        language=wanted.language or "",
        state="proposed" if wanted.role == "authorised" else "active",
    )
    async with services.database.transaction() as session:
        partner = await partner_admin.lock(session, partner_id)
        row.language = row.language or partner.language
        if wanted.phone is not None:
            row.phone = phone_of(wanted.phone, partner.country).e164
        if (same := await partner_admin.same_contact(session, row)) is not None:
            return await once.reply(session, await _proposed(session, principal, same, wanted), status=200)
        session.add(row)
        await session.flush()
        shown = await _proposed(session, principal, row, wanted)
        await audit.write(
            session, actor=principal.id, action="contacts.add", subject=row.id, after=shown.model_dump(mode="json")
        )
        return await once.reply(session, shown, status=201)


@router.delete("/contacts/{contact_id}", responses=problems(404), summary="Remove a contact")
async def remove_contact(
    partner_id: PartnerId,
    services: ServicesDep,
    principal: PartnerWriter,
    contact_id: Annotated[str, Path(pattern=id_pattern(CONTACT))],
) -> ContactOut:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        row = await partner_admin.contact(session, partner_id, contact_id)
        if row is None:
            raise NotFound("The partner has no contact with that id.", field="contact_id")
        shown = ContactOut.of(row)
        if (waiting := await approvals.open_of(session, AUTHORISE, row.id)) is not None:
            await approving.withdraw(session, principal, waiting, "The contact was removed.")
        await session.delete(row)
        await audit.write(
            session, actor=principal.id, action="contacts.remove", subject=row.id, before=shown.model_dump(mode="json")
        )
    return shown


async def _proposed(session: AsyncSession, principal: Principal, row: Contact, wanted: ContactIn) -> ContactOut:
    """The contact; if it waits for a second person, with the proposal that does."""
    if row.state == "active":
        return ContactOut.of(row)
    waits = await approvals.open_of(session, AUTHORISE, row.id)
    proposal = await approving.propose(
        session,
        principal,
        AUTHORISE,
        subject=row.id,
        partner_id=row.partner_id,
        content=ContactOut.of(row).model_dump(mode="json", exclude={"state", "approval_id"}),
        evidence=wanted.evidence or f"{row.name} is to confirm purchases.",
    )
    if waits is None or waits.id != proposal.id:
        await announce(session, row)
    return ContactOut.of(row, proposal.id)


async def give(
    partner_id: str, wanted: ConnectionIn, services: Services, principal: Principal, moved: bool
) -> ConnectionOut:
    """A connection to any provider, tried and stored; each provider's `PUT` says what its body is."""
    principal.visible(partner_id)
    if moved:
        principal.only_platform("That a system is the same at another address is the platform's to say.")
    async with services.database.transaction() as session:
        connection_jobs.keeps_currency((await partners.get(session, partner_id)).currency, wanted)
        current = await partner_admin.find_connection(session, partner_id, wanted.provider)
    sealed = connection_jobs.sealed_connection(services, partner_id, wanted)
    return await _store(partner_id, sealed, services, principal, current, action="connections.put", moved=moved)


async def _store(
    partner_id: str,
    sealed: SealedConnection,
    services: Services,
    principal: Principal,
    current: Connection | None,
    *,
    action: str,
    moved: bool = False,
) -> ConnectionOut:
    """Tried, claimed and stored: the claim is in the transaction that stores what was proven."""
    proof = await prove(services, principal, sealed, current)
    try:
        async with services.database.transaction() as session:
            await partner_admin.lock(session, partner_id)
            row = await partner_admin.lock_connection(session, partner_id, sealed.provider)
            if action == "connections.check" and row is not None and row.version != sealed.version:
                raise Conflict("The connection was given anew meanwhile.", code="changed_meanwhile")
            if not moved:
                await refuse_while_in_use(session, row, sealed)
            before = ConnectionOut.of(row).model_dump(mode="json") if row else None
            watched = row is not None and row.status != "unproven" and connection_jobs.is_watched(services, row)
            if row is None:
                row = connection_jobs.new_row(sealed)
                session.add(row)
                await session.flush()
            connection_jobs.take_over(
                services, row, sealed.model_copy(update={"version": row.version + 1}), proof.status, proof.detail
            )
            await claim(session, principal, row, proof, moved=moved)
            session.add(row)
            await session.flush()
            if proof.status == "ok":
                await blocked.lifted(session, row)
            shown = ConnectionOut.of(row)
            await audit.write(
                session,
                actor=principal.id,
                action=action,
                subject=row.id,
                before=before,
                after=shown.model_dump(mode="json"),
            )
            if not watched and proof.status != "unproven":
                await connection_jobs.watch(services, row)
    except Conflict as refused:
        if refused.code == "claimed_elsewhere":
            await tell_house(services, principal, partner_id, refused)
        raise
    return shown


def _said(newly: bool) -> Literal["newly_registered", "already_registered"]:
    return "newly_registered" if newly else "already_registered"
