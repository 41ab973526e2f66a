"""Every call to a provider, as evidence."""

from fastapi import APIRouter

from api.http.auth import DisbursementReader
from api.http.dependencies import ServicesDep
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import problems
from api.http.paging import Limit, NumberCursor, Page, PartnerFilter, page
from api.operations.cases import WorkflowFilter
from api.operations.exchanges_schemas import ExchangeOut
from store.platform import exchanges

router = APIRouter(prefix="/api/v1/exchanges", tags=["exchanges"], dependencies=KNOWN_PARAMETERS)


@router.get("", responses=problems(404), summary="List calls to providers, newest first")
async def list_exchanges(
    services: ServicesDep,
    principal: DisbursementReader,
    workflow_id: WorkflowFilter = None,
    partner_id: PartnerFilter = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[ExchangeOut]:
    if partner_id is not None:
        principal.visible(partner_id)
    async with services.database.transaction() as session:
        rows = await exchanges.page(
            session,
            workflow_id=workflow_id,
            partner_id=partner_id or principal.partner_id,
            before=int(cursor) if cursor else None,
            limit=limit + 1,
        )
    return page(rows, limit, ExchangeOut.of, lambda row: row.id)
