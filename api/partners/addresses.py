"""A partner's secret addresses: read, and replaced.

What announces money (M-Pesa's confirmations, a bank's pushes) is evidence for the partner's own account, so its address is
the house's: a partner that could read it could announce payments to itself. The Fineract hook is a hint and no more, and the
partner configures it in its own server.
"""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Response

from api.http.auth import PartnerWriter
from api.http.dependencies import Services, ServicesDep
from api.http.idempotency import Keyed
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, again, problems
from api.partners import connection_jobs
from api.partners.addresses_schemas import RotateIn, SecretAddress, SecretAddresses
from api.partners.partners import PartnerId
from core.clock import utc_now
from core.errors import NotFound
from models.messages.connections import Provider
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from store.platform import audit, partner_admin, partners, secret_addresses

router = APIRouter(prefix="/api/v1/partners/{partner_id}", tags=["partners"], dependencies=KNOWN_PARAMETERS)


@router.get("/addresses", responses=problems(404), summary="The secret addresses that the key may read")
async def list_addresses(partner_id: PartnerId, services: ServicesDep, principal: PartnerWriter) -> SecretAddresses:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        partner = await partners.get(session, partner_id)
        rows = [] if principal.partner_id is not None else await partner_admin.connections(session, partner_id)
    items = _hook(services, partner)
    for row in rows:
        if row.push_digest is not None:
            items += _pushes(services, row)
    return SecretAddresses(items=items)


@router.post(
    "/connections/{provider}/rotate-address",
    response_model=SecretAddresses,
    responses=again(SecretAddresses) | problems(404, 409, *WRITES),
    summary="Replace a secret address; the old one works for a time of grace",
)
async def rotate_address(
    partner_id: PartnerId,
    provider: Provider,
    wanted: RotateIn,
    services: ServicesDep,
    principal: PartnerWriter,
    once: Keyed,
) -> Response:
    """Then tell whoever calls there: the partner's Fineract (its hook), M-Pesa by `register-paybill`, the bank."""
    principal.visible(partner_id)
    if provider != "fineract":
        principal.only_platform("An address at which payments are announced is the platform's secret.")
    hours = services.settings.addresses.grace_hours if wanted.grace_hours is None else wanted.grace_hours
    async with services.database.transaction() as session:
        partner = await partner_admin.lock(session, partner_id)
        row: Partner | Connection | None = partner
        if provider != "fineract":
            row = await partner_admin.lock_connection(session, partner_id, provider)
        if row is None:
            raise NotFound(f"The partner has no {provider} connection.", code="no_connection", field=provider)
        secret_addresses.replace(row, _kind(row), services.box, grace=timedelta(hours=hours))
        session.add(row)
        await audit.write(
            session,
            actor=principal.id,
            action="addresses.rotate",
            subject=row.id,
            after={"provider": provider, "grace_hours": hours},
        )
        shown = SecretAddresses(items=_pushes(services, row) if isinstance(row, Connection) else _hook(services, row))
        return await once.reply(session, shown, status=200, secret=True)


def _kind(row: Partner | Connection) -> secret_addresses.Kind:
    return "hook" if isinstance(row, Partner) else "push"


def _hook(services: Services, partner: Partner) -> list[SecretAddress]:
    secret = secret_addresses.opened(partner, "hook", services.box)
    url = f"{services.settings.callbacks.base_url.rstrip('/')}/cb/hooks/{secret}/"
    return [SecretAddress(provider="fineract", purpose="hook", url=url, old_until=_living(partner.old_hook_until))]


def _pushes(services: Services, row: Connection) -> list[SecretAddress]:
    base, until = connection_jobs.address_of(services, row), _living(row.old_push_until)
    ends: dict[Any, str] = {"push": "/"} if row.provider == "bank" else {"confirm": "/confirm", "check": "/check"}
    provider: Any = row.provider
    return [
        SecretAddress(provider=provider, purpose=purpose, url=f"{base}{end}", old_until=until)
        for purpose, end in ends.items()
    ]


def _living(until: datetime | None) -> datetime | None:
    return until if until is not None and until > utc_now() else None
