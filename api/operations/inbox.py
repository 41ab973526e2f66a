"""Providers' messages that could not be read or believed: read again, once the reason is mended."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.http.auth import Anyone
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.values import id_pattern
from api.inbound import entrance
from api.operations.inbox_schemas import InboxItemOut
from core.errors import Conflict, NotAllowed, NotFound
from core.ids import INBOX
from store.platform import audit, inbox
from store.saga import cases

router = APIRouter(prefix="/api/v1/inbox", tags=["inbox"], dependencies=KNOWN_PARAMETERS)

InboxId = Annotated[str, Path(pattern=id_pattern(INBOX))]


@router.post(
    "/{inbox_id}/read-again",
    response_model=InboxItemOut,
    responses=problems(404, "not_to_be_read", "idempotency_key_reused", *WRITES),
    summary="Read a message again that could not be read or believed",
)
async def read_inbox_item_again(
    inbox_id: InboxId, services: ServicesDep, principal: Anyone, once: Idempotent
) -> Response:
    """For the platform's people: after a fix in the program, or of a bank's secret. It is read as it came and when it came;
    what it tells is then delivered as if it had been readable at once, and its case is closed."""
    if principal.partner_id is not None or not principal.is_admin:
        raise NotAllowed("Only an admin of the platform may have messages read again.", code="scope_missing")
    async with services.database.transaction() as session:
        before = await inbox.lock(session, inbox_id)
        if before is None:
            raise NotFound("No message has that id.", field="inbox_id")
        was = {"kind": before.kind, "outcome": before.outcome}
        if not await inbox.read_again(session, inbox_id):
            raise Conflict(
                "It was read already, or nothing of it is left.", code="not_to_be_read", outcome=was["outcome"]
            )
        await audit.write(session, actor=principal.id, action="inbox.read_again", subject=inbox_id, before=was)
    await entrance.in_turn(services, before.partner_id or "", inbox_id, "read_again")
    await services.database.flush()  # the mark of what became of it, which is told below
    async with services.database.transaction() as session:
        item = await inbox.lock(session, inbox_id)
        assert item is not None
        if item.outcome not in inbox.READ_AGAIN:
            resolution = f"read again, and {item.outcome}"
            await cases.close_of_key(session, f"inbox:{inbox_id}", by=principal.id, resolution=resolution)
        return await once.reply(session, InboxItemOut.of(item), status=200)
