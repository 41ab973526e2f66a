"""How a new saga is accepted: written down with the answer to its caller, then started."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from fastapi import Response
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from api.http.auth import Principal
from api.http.dependencies import Services
from api.http.idempotency import Once
from api.saga.resource import Resource
from api.saga.schemas import StartIn
from models.tables.platform.partner import Partner
from models.tables.saga.saga_row import SagaRow
from store.platform import audit, partners
from temporal.starts import start_row

log = structlog.get_logger()

S = TypeVar("S", bound=SagaRow)

# Writes the row of a new saga for this partner, and shows it. Raises what forbids it.
Maker = Callable[[AsyncSession, Partner], Awaitable[tuple[SagaRow, BaseModel]]]


async def accept(
    services: Services, principal: Principal, once: Once, resource: Resource[S], wanted: StartIn, make: Maker
) -> Response:
    """Row, audit and the remembered answer are one transaction; then the saga is started. If that fails, or we die before
    it, the row stands and the sweep starts the same saga. Raises NotFound or NotAllowed (partner), and what `make` does."""
    async with services.database.transaction() as session:
        partner = await partners.active(session, principal.for_partner(wanted.partner_id))
        row, shown = await make(session, partner)
        wanted.mark(row)
        session.add(row)
        shown = shown.model_copy(update={"client_reference": row.client_reference, "metadata": wanted.metadata})
        await audit.write(
            session,
            actor=principal.id,
            action=f"{resource.acts}.create",
            subject=row.id,
            after=shown.model_dump(mode="json"),
        )
        response = await once.reply(session, shown, status=202, location=f"{resource.path}/{row.id}")
    try:
        await start_row(services.client, services.database, row)
    except RPCError as error:
        log.warning("saga_not_started_yet", workflow_id=row.workflow_id, status=error.status.name)
    return response
