"""How things go: outages first, then success, wallets, who is short, connections, messages, queues and what runs by the
clock. The same facts as `GET /api/v1/monitoring`."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.console import showing
from api.console.list_query import ListQuery
from api.console.partner_names import partners_shown
from api.console.routing import console_router
from api.console.visitors import Seen
from api.http.dependencies import ServicesDep
from api.operations import monitoring

router = console_router()


@router.get("/console/monitoring")
async def monitoring_page(
    request: Request, services: ServicesDep, visitor: Seen, query: Annotated[ListQuery, Query()]
) -> Response:
    seen = await monitoring.look(services, visitor.principal, query.partner)
    return showing.page(
        request, "monitoring.html", query=query, seen=seen, partners=await partners_shown(services, visitor)
    )
