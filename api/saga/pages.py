"""What the resources of all sagas do alike: accepted once, found, waited for, their timeline, commands that leave a trace."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

import structlog
from fastapi import Query, Request, Response
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from api.http.auth import Principal
from api.http.dependencies import Services
from api.http.idempotency import Once
from api.saga import commands, deciding
from api.saga.commands import Row
from api.saga.schemas import CommandTakenOut, EventOut, Timeline
from core.crypto import sha256_hex
from core.errors import KivukoError, NotFound
from core.ids import new_id
from models.messages.base import Message
from models.messages.saga.decisions import CommandTaken, Verdict
from models.tables.platform.partner import Partner
from models.tables.saga.saga_row import SagaRow
from store.platform import audit, partners
from store.saga import timeline
from temporal.requests import start_row

log = structlog.get_logger()

R = TypeVar("R", bound=Row)
S = TypeVar("S", bound=SagaRow)

Wait = Annotated[float, Query(ge=0, le=120, description="Seconds to wait for an ended stage, bounded by us")]
_LOOK_EVERY: Final = 0.25


@dataclass(frozen=True)
class Resource(Generic[R]):
    """One kind of saga at the front door."""

    noun: str  # "top-up"
    path: str  # "/api/v1/top-ups"
    acts: str  # what its audit actions begin with: "top_ups"
    field: str  # the path parameter: "top_up_id"
    read: Callable[[AsyncSession, str], Awaitable[R | None]]

    async def find(self, services: Services, principal: Principal, row_id: str) -> R:
        """Raises NotFound, for another partner's too."""
        async with services.database.transaction() as session:
            row = await self.read(session, row_id)
        if row is None or not principal.sees(row.partner_id):
            raise NotFound(f"No {self.noun} has that id.", field=self.field)
        return row

    async def wait_for(
        self, services: Services, principal: Principal, row_id: str, request: Request, seconds: float
    ) -> R:
        """The row when it has ended, or when the time is up or the caller has gone. Raises NotFound."""
        deadline = time.monotonic() + min(seconds, services.settings.api.max_wait_seconds)
        row = await self.find(services, principal, row_id)
        while row.ended_at is None and (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(_LOOK_EVERY, left))
            if await request.is_disconnected():
                break
            row = await self.find(services, principal, row_id)
        return row

    async def timeline(self, services: Services, principal: Principal, row_id: str) -> Timeline:
        """Oldest first. Raises NotFound."""
        row = await self.find(services, principal, row_id)
        async with services.database.transaction() as session:
            events = await timeline.read(session, row.workflow_id)
        return Timeline(items=[EventOut.of(event) for event in events])


# Writes the row of a new saga for this partner, and shows it. Raises what forbids it.
Maker = Callable[[AsyncSession, Partner], Awaitable[tuple[SagaRow, BaseModel]]]


async def accept(
    services: Services, principal: Principal, once: Once, resource: Resource[S], partner_id: str, make: Maker
) -> Response:
    """Row, audit and the remembered answer are one transaction; then the saga is started. If that fails, or we die before
    it, the row stands and the sweep starts the same saga. Raises NotFound or NotAllowed (partner), and what `make` does."""
    async with services.database.transaction() as session:
        partner = await partners.active(session, partner_id)
        row, shown = await make(session, partner)
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


async def command(
    services: Services,
    principal: Principal,
    once: Once,
    resource: Resource[R],
    row: R,
    update: str,
    message: Message,
    *,
    answer: Callable[[CommandTaken], BaseModel] | None = None,
) -> Response:
    """A person's command, recorded before it is sent, so that none leaves without a trace; a refusal is recorded too.

    The update's id follows from the Idempotency-Key, where there is one.
    """
    named = sha256_hex(f"{principal.id}:{once.key}") if once.key else new_id("cmd")
    action = f"{resource.acts}.{update}"
    async with services.database.transaction() as session:
        await audit.write(
            session,
            actor=principal.id,
            action=action,
            subject=row.id,
            before={"stage": row.stage},
            after=message.model_dump(mode="json", exclude={"actor"}),
        )
    taken = await tell(services, principal, action, row, update, message, f"api:{named}")
    async with services.database.transaction() as session:
        shown = answer(taken) if answer else CommandTakenOut(id=row.id, stage=taken.stage, at=taken.at)
        return await once.reply(session, shown, status=200)


async def decide(
    services: Services,
    principal: Principal,
    once: Once,
    resource: Resource[R],
    row: R,
    verdict: Verdict,
    *,
    about: str = "",
    answer: Callable[[CommandTaken], BaseModel] | None = None,
) -> Response:
    """A person's decision, as every desk makes one. `about`: the attempt that it is about, where it is about one."""
    await deciding.refuse_foreign_receipt(services, row, verdict.receipt)
    order = deciding.Order(row, verdict, f"{resource.acts}.resolve", row.id, about)
    taken = await deciding.tell(services, principal, order, once.key)
    async with services.database.transaction() as session:
        shown = answer(taken) if answer else CommandTakenOut(id=row.id, stage=taken.stage, at=taken.at)
        return await once.reply(session, shown, status=200)


async def tell(
    services: Services,
    principal: Principal,
    action: str,
    row: Row,
    update: str,
    message: Message,
    update_id: str,
    *,
    repeatable: bool = False,
) -> CommandTaken:
    """As `commands.tell`; a refusal is recorded under the action."""
    try:
        return await commands.tell(services, row, update, message, update_id, repeatable=repeatable)
    except KivukoError as error:
        async with services.database.transaction() as session:
            await audit.write(
                session, actor=principal.id, action=f"{action}.refused", subject=row.id, after={"code": error.code}
            )
        raise
