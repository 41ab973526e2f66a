"""A partner's secret addresses: read, and replaced.

What announces money (M-Pesa's confirmations, a bank's pushes) is evidence for the partner's own account, so its address is
the house's: a partner that could read it could announce payments to itself. The Fineract hook is a hint and no more, and the
partner configures it in its own server.
"""

from datetime import datetime, timedelta

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
from models import providers
from models.providers import ProviderName
from models.tables.platform.connection import Connection
from store.platform import audit, partner_admin, partners, secret_addresses

router = APIRouter(prefix="/api/v1/partners/{partner_id}", tags=["partners"], dependencies=KNOWN_PARAMETERS)


@router.get("/addresses", responses=problems(404), summary="The secret addresses that the key may read")
async def list_addresses(partner_id: PartnerId, services: ServicesDep, principal: PartnerWriter) -> SecretAddresses:
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        rows = await partner_admin.connections(session, partner_id)
    readable = [row for row in rows if principal.partner_id is None or not providers.named(row.provider).tells_of_money]
    return SecretAddresses(items=[one for row in readable if row.address_digest for one in _addresses(services, row)])


@router.post(
    "/connections/{provider}/rotate-address",
    response_model=SecretAddresses,
    responses=again(SecretAddresses) | problems(404, "rotation_in_progress", "idempotency_key_reused", *WRITES),
    summary="Replace a secret address; the old one works for a time of grace",
)
async def rotate_address(
    partner_id: PartnerId,
    provider: ProviderName,
    wanted: RotateIn,
    services: ServicesDep,
    principal: PartnerWriter,
    once: Keyed,
) -> Response:
    """Then tell whoever calls there: the partner's Fineract (its hook), M-Pesa by `register-paybill`, the bank."""
    principal.visible(partner_id)
    if providers.named(provider).tells_of_money:
        principal.only_platform("An address at which payments are announced is the platform's secret.")
    hours = services.settings.addresses.grace_hours if wanted.grace_hours is None else wanted.grace_hours
    async with services.database.transaction() as session:
        await partner_admin.lock(session, partner_id)
        row = await partner_admin.lock_connection(session, partner_id, provider)
        if row is None:
            raise NotFound(f"The partner has no {provider} connection.", code="no_connection", field=provider)
        secret_addresses.replace(row, services.box, grace=timedelta(hours=hours))
        session.add(row)
        await audit.write(
            session,
            actor=principal.id,
            action="addresses.rotate",
            subject=row.id,
            after={"provider": provider, "grace_hours": hours},
        )
        shown = SecretAddresses(items=_addresses(services, row))
        return await once.reply(session, shown, status=200, secret=True)


def _addresses(services: Services, row: Connection) -> list[SecretAddress]:
    base, until = connection_jobs.address_of(services, row), _living(row.old_address_until)
    return [
        SecretAddress(provider=row.provider, purpose=purpose, url=f"{base}{end}", old_until=until)
        for purpose, end in providers.named(row.provider).calls
    ]


def _living(until: datetime | None) -> datetime | None:
    return until if until is not None and until > utc_now() else None
