"""Bulk actions: one command for many payments, each with its own result; one at the wrong stage refuses, others go on."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from starlette.responses import JSONResponse

from api.http.auth import Anyone
from api.http.dependencies import ServicesDep
from api.http.idempotency import Idempotent, Keyed
from api.http.known_parameters import KNOWN_PARAMETERS
from api.http.openapi import WRITES, problems
from api.http.paging import IdCursor, Limit, NumberCursor, Page, page
from api.http.values import id_pattern
from api.operations import bulk_asking
from api.operations.bulk_actions_schemas import (
    BulkActionNew,
    BulkActionOut,
    BulkForeseen,
    BulkItemOut,
    ItemState,
)
from core.ids import BULK_ACTION
from models import kinds
from store.saga import bulk_actions

_PATH = "/api/v1/bulk-actions"
router = APIRouter(prefix=_PATH, tags=["bulk actions"], dependencies=KNOWN_PARAMETERS)

BulkId = Annotated[str, Path(pattern=id_pattern(BULK_ACTION))]
ItemStateFilter = Annotated[ItemState | None, Query(description="Only those that stand so")]
_FORESEEN: dict[int | str, dict[str, Any]] = {200: {"model": BulkForeseen, "description": "Of a dry run"}}


@router.post(
    "",
    status_code=202,
    response_model=BulkActionOut,
    responses=_FORESEEN
    | problems(404, "idempotency_key_reused", "nothing_chosen", "too_many_items", "scope_missing", *WRITES),
    summary="Give one command to many payments",
)
async def create_bulk_action(wanted: BulkActionNew, services: ServicesDep, principal: Anyone, once: Keyed) -> Response:
    """Each payment gets the command as if it were given by hand, is recorded so, and takes or refuses it for itself. The
    key needs the `write` scope of that kind; a partner's key reaches its own payments alone. A dry run only says what
    would be taken and what refused now; its `Idempotency-Key` is free afterwards."""
    kind = kinds.at(wanted.kind)
    bulk_asking.need(principal, kind, "write")
    async with services.database.transaction() as session:
        targets = await bulk_asking.choose(session, principal, kind, wanted.ids, wanted.filters)
    if wanted.dry_run:
        foreseen = BulkForeseen.of(await bulk_asking.foresee(services, targets, wanted.command))
        await once.give_back()
        return JSONResponse(foreseen.model_dump(mode="json"))
    filters = wanted.filters.model_dump(mode="json", exclude_none=True) if wanted.filters else None
    async with services.database.transaction() as session:
        row = await bulk_asking.ask(
            session, principal, kind, wanted.command, wanted.reason, targets, filters=filters
        )  # fmt: skip
        counts = await bulk_actions.counts(session, [row.id])
        shown = BulkActionOut.of(row, counts[row.id])
        response = await once.reply(session, shown, status=202, location=f"{_PATH}/{row.id}")
    await bulk_asking.start(services, shown.id)
    return response


@router.get("", responses=problems(), summary="List bulk actions, newest first")
async def list_bulk_actions(
    services: ServicesDep, principal: Anyone, cursor: IdCursor = None, limit: Limit = 50
) -> Page[BulkActionOut]:
    """Of the kinds of payments that one may read; a partner's key sees those that its own people asked for."""
    readable = bulk_asking.readable(principal)
    async with services.database.transaction() as session:
        rows = await bulk_actions.page(
            session, kinds=readable, partner_id=principal.partner_id, before=cursor, limit=limit + 1
        )
        counts = await bulk_actions.counts(session, [row.id for row in rows])
    return page(rows, limit, lambda row: BulkActionOut.of(row, counts[row.id]), lambda row: row.id)


@router.get("/{bulk_id}", responses=problems(404), summary="One bulk action, and how far it is")
async def get_bulk_action(bulk_id: BulkId, services: ServicesDep, principal: Anyone) -> BulkActionOut:
    async with services.database.transaction() as session:
        row = await bulk_asking.find(session, principal, bulk_id)
        counts = await bulk_actions.counts(session, [bulk_id])
    return BulkActionOut.of(row, counts[bulk_id])


@router.get("/{bulk_id}/items", responses=problems(404), summary="Its payments, and what each said")
async def list_bulk_items(
    bulk_id: BulkId,
    services: ServicesDep,
    principal: Anyone,
    state: ItemStateFilter = None,
    cursor: NumberCursor = None,
    limit: Limit = 50,
) -> Page[BulkItemOut]:
    """In the order in which they were chosen."""
    async with services.database.transaction() as session:
        await bulk_asking.find(session, principal, bulk_id)
        rows = await bulk_actions.items(
            session, bulk_id, state=state, after=min(int(cursor or 0), 1_000_000), limit=limit + 1
        )
    return page(rows, limit, BulkItemOut.of, lambda row: row.ordinal)


@router.post(
    "/{bulk_id}/stop",
    response_model=BulkActionOut,
    responses=problems(404, "idempotency_key_reused", *WRITES),
    summary="Stop it: what was not sent yet is not sent",
)
async def stop_bulk_action(bulk_id: BulkId, services: ServicesDep, principal: Anyone, once: Idempotent) -> Response:
    """What was taken stays taken. One that has ended is shown as it is."""
    async with services.database.transaction() as session:
        row = await bulk_asking.stop(session, principal, bulk_id)
        counts = await bulk_actions.counts(session, [bulk_id])
        return await once.reply(session, BulkActionOut.of(row, counts[bulk_id]), status=200)
