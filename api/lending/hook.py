"""Where a lender's Fineract is to tell of loans and payments."""

from typing import Final

from fastapi import APIRouter

from api.http.auth import PartnerWriter
from api.http.dependencies import ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import problems
from api.lending.hook_schemas import HookAddress
from api.partners import connection_jobs
from api.partners.partners import PartnerId
from store.platform import partners

router = APIRouter(prefix="/api/v1/partners/{partner_id}/hook", tags=["partners"], dependencies=KNOWN_PARAMETERS)

# What we want to hear of: loans to pay out (A3), payments to confirm to the customer (A11).
HOOK_EVENTS: Final = (("LOAN", "APPROVE"), ("LOAN", "REPAYMENT"), ("SAVINGSACCOUNT", "DEPOSIT"))


@router.get("", responses=problems(404, "no_address"), summary="The secret address for the partner's Fineract hook")
async def get_hook(partner_id: PartnerId, services: ServicesDep, principal: PartnerWriter) -> HookAddress:
    """404 `no_connection` without a connection to Fineract: the address is that connection's."""
    principal.visible(partner_id)
    async with services.database.transaction() as session:
        await partners.get(session, partner_id)
        row = await partners.connection(session, partner_id, "fineract")
    return HookAddress(
        url=f"{connection_jobs.address_of(services, row)}/",
        events=[{"entity": entity, "action": action} for entity, action in HOOK_EVENTS],
    )
