"""Bulk actions: payments chosen in a list get one command, after a look at what each would say; then how far it is."""

from typing import Annotated, Any, Final

from fastapi import Form, Path, Query, Request, Response
from pydantic import StringConstraints

from api.console import showing
from api.console.decision_fields import LongText
from api.console.forms import ConsoleForm
from api.console.list_query import PAGE, ListQuery
from api.console.payment_acts import FormKey
from api.console.routing import console_router, see_other
from api.console.visitors import Acting, Seen, Visitor
from api.http.dependencies import Services, ServicesDep
from api.http.values import id_pattern
from api.operations import bulk_asking
from api.operations.bulk_actions_schemas import BulkCounts, BulkForeseen, KindName, SagaId
from core.errors import InvalidRequest
from core.ids import BULK_ACTION, new_id
from models import kinds
from models.messages.bulk_actions import MOST_ITEMS, BulkCommand
from models.tables.saga.bulk_action import BulkAction
from store.platform import people
from store.saga import bulk_actions

router = console_router()

HERE: Final = "/console/bulk-actions"
BulkId = Annotated[str, Path(pattern=id_pattern(BULK_ACTION))]
Reason = Annotated[LongText, StringConstraints(min_length=3)]


class ChosenForm(ConsoleForm):
    """What was ticked in a list of one kind; `id` stands there once for each."""

    kind: KindName
    command: BulkCommand
    id: list[SagaId] = []


class BulkForm(ChosenForm):
    """The same, agreed to. `key` is the form's own: sent twice, it is done once."""

    key: FormKey
    reason: Reason


@router.post(f"{HERE}/look")
async def look(
    request: Request, services: ServicesDep, visitor: Acting, form: Annotated[ChosenForm, Form()]
) -> Response:
    """What each of them would say now; nothing is done."""
    kind = kinds.at(form.kind)
    bulk_asking.need(visitor.principal, kind, "write")
    async with services.database.transaction() as session:
        targets = await bulk_asking.choose(session, visitor.principal, kind, _chosen(form), None)
    foreseen = BulkForeseen.of(await bulk_asking.foresee(services, targets, form.command))
    return showing.page(
        request, "bulk_look.html", kind=kind, command=form.command, foreseen=foreseen, key=new_id("frm")
    )  # fmt: skip


@router.post(HERE)
async def asked(services: ServicesDep, visitor: Acting, form: Annotated[BulkForm, Form()]) -> Response:
    kind = kinds.at(form.kind)
    bulk_asking.need(visitor.principal, kind, "write")
    async with services.database.transaction() as session:
        targets = await bulk_asking.choose(session, visitor.principal, kind, _chosen(form), None)
        row = await bulk_asking.ask(
            session, visitor.principal, kind, form.command, form.reason, targets, form_key=form.key
        )
        bulk_id = row.id
    await bulk_asking.start(services, bulk_id)
    return see_other(f"{HERE}/{bulk_id}")


@router.get(HERE)
async def listed(
    request: Request, services: ServicesDep, visitor: Seen, query: Annotated[ListQuery, Query()]
) -> Response:
    readable = bulk_asking.readable(visitor.principal)
    async with services.database.transaction() as session:
        rows = await bulk_actions.page(
            session, kinds=readable, partner_id=visitor.principal.partner_id, before=query.cursor, limit=PAGE + 1
        )
        counts = await bulk_actions.counts(session, [row.id for row in rows])
        names = await people.behind(session, [row.requested_by for row in rows])
    shown = [_line(row, counts[row.id]) for row in rows[:PAGE]]
    more = query.address(cursor=rows[PAGE - 1].id) if len(rows) > PAGE else None
    return showing.page(request, "bulk_list.html", query=query, rows=shown, names=names, next=more)


@router.get(HERE + "/{bulk_id}")
async def opened(bulk_id: BulkId, request: Request, services: ServicesDep, visitor: Seen) -> Response:
    return showing.page(request, "bulk_action.html", **await _facts(services, visitor, bulk_id))


@router.get(HERE + "/{bulk_id}/now")
async def now(bulk_id: BulkId, request: Request, services: ServicesDep, visitor: Seen) -> Response:
    """The part of the page that goes on by itself."""
    return showing.page(request, "bulk_now.html", **await _facts(services, visitor, bulk_id))


@router.post(HERE + "/{bulk_id}/stop")
async def stopped(
    bulk_id: BulkId, services: ServicesDep, visitor: Acting, form: Annotated[ConsoleForm, Form()]
) -> Response:
    async with services.database.transaction() as session:
        await bulk_asking.stop(session, visitor.principal, bulk_id)
    return see_other(f"{HERE}/{bulk_id}")


def _chosen(form: ChosenForm) -> list[str]:
    """Raises InvalidRequest for none, and for more than one action may have."""
    if not 0 < len(form.id) <= MOST_ITEMS:
        raise InvalidRequest(f"Choose one payment at least, and at most {MOST_ITEMS}.", code="nothing_chosen")
    return form.id


async def _facts(services: Services, visitor: Visitor, bulk_id: str) -> dict[str, Any]:
    async with services.database.transaction() as session:
        row = await bulk_asking.find(session, visitor.principal, bulk_id)
        counts = await bulk_actions.counts(session, [bulk_id])
        items = await bulk_actions.items(session, bulk_id, limit=MOST_ITEMS)
        names = await people.behind(session, [row.requested_by])
    may_stop = visitor.may(kinds.named(row.kind), "write")
    return _line(row, counts[bulk_id]) | {"items": items, "names": names, "may_stop": may_stop, "here_at": HERE}


def _line(row: BulkAction, counts: dict[str, int]) -> dict[str, Any]:
    return {"row": row, "kind": kinds.named(row.kind), "counts": BulkCounts.of(counts)}
