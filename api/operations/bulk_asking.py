"""Asking for a bulk action, from whichever page: which payments it is for, what they would say, and its rows."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from api.http.auth import Principal
from api.http.dependencies import Services
from api.operations.bulk_actions_schemas import BulkFilters, Foreseen
from api.saga import commands
from core.clock import utc_now
from core.errors import InvalidRequest, LimitExceeded, NotAllowed, NotFound
from core.ids import BULK_ACTION, new_id
from models import kinds
from models.kinds import KINDS, SagaKind, Verb
from models.messages.bulk_actions import AT_ONCE, MOST_ITEMS, BulkCommand
from models.tables.saga.bulk_action import BulkAction
from models.tables.saga.saga_row import SagaRow
from store.platform import audit
from store.saga import bulk_actions, saga_rows
from temporal.bulk_starts import start_bulk_action

log = structlog.get_logger()

# Each saga's id and its workflow's; None for one that there is not, or not for who asks.
Targets = Sequence[tuple[str, str | None]]

_FORESEE_SECONDS: Final = 8.0
_NOT_FOUND: Final = "There is no such payment, or you may not know of it."
_ENDED: Final = "The saga has ended."


def need(principal: Principal, kind: SagaKind, verb: Verb) -> None:
    """Raises NotAllowed (code "scope_missing")."""
    scope = kind.scope(verb)
    if not principal.may(scope):
        raise NotAllowed(f"The key lacks the scope {scope}.", code="scope_missing", scope=scope)


async def choose(
    session: AsyncSession, principal: Principal, kind: SagaKind, ids: Sequence[str] | None, filters: BulkFilters | None
) -> Targets:
    """The payments that are meant now, each once. Raises InvalidRequest for an id of another kind, NotFound for another's
    partner, LimitExceeded (code "too_many_items")."""
    if ids is not None:
        wanted = list(dict.fromkeys(ids))
        if foreign := next((one for one in wanted if kinds.of_id(one) is not kind), None):
            raise InvalidRequest(f"{foreign} is the id of another kind of payment.", field="ids")
        found = await bulk_actions.named(session, kind, wanted, principal.partner_id)
        return [(one, found.get(one)) for one in wanted]
    assert filters is not None
    if filters.partner_id is not None:
        principal.visible(filters.partner_id)
    rows: list[SagaRow] = await saga_rows.page(
        session, kind.row_class, partner_id=filters.partner_id or principal.partner_id, stage=filters.stage,
        limit=MOST_ITEMS + 1, only=filters.of_rows,
    )  # fmt: skip
    if len(rows) > MOST_ITEMS:
        raise LimitExceeded(
            f"More than {MOST_ITEMS} payments are found; choose fewer.", code="too_many_items", field="filters"
        )
    return [(row.id, row.workflow_id) for row in rows]


async def foresee(services: Services, targets: Targets, command: BulkCommand) -> list[Foreseen]:
    """What each would say to the command now, in the order of the targets. Nothing is done; who does not answer within a few
    seconds is not waited for."""
    async with services.database.transaction() as session:
        rows = await saga_rows.of_workflows(session, [workflow_id for _, workflow_id in targets if workflow_id])
    gate, until = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop().time() + _FORESEE_SECONDS

    async def one(saga_id: str, row: SagaRow | None) -> Foreseen:
        if row is None:
            return Foreseen(id=saga_id, outcome="would_refuse", stage=None, detail=_NOT_FOUND)
        if row.ended_at is not None:
            return Foreseen(id=saga_id, outcome="would_refuse", stage=row.stage, detail=_ENDED)
        async with gate:
            late = asyncio.get_running_loop().time() > until
            status = None if late else await commands.query_status(services, row)
        offer = next((one for one in (status.offers if status else None) or () if one.word == command), None)
        if status is None or offer is None:
            return Foreseen(id=saga_id, outcome="not_known", stage=row.stage, detail=None)
        outcome = "would_refuse" if offer.refused else "would_take"
        return Foreseen(id=saga_id, outcome=outcome, stage=status.stage, detail=offer.refused)

    return list(await asyncio.gather(*(one(saga_id, rows.get(workflow_id or "")) for saga_id, workflow_id in targets)))


async def ask(
    session: AsyncSession, principal: Principal, kind: SagaKind, command: BulkCommand, reason: str, targets: Targets,
    *, filters: dict[str, Any] | None = None, form_key: str | None = None,
) -> BulkAction:  # fmt: skip
    """Its rows, with the audit line; give it to `start` once they are committed. A form that was sent before gives its first
    action. Raises InvalidRequest (code "nothing_chosen")."""
    if not targets:
        raise InvalidRequest("No payment is found by this.", code="nothing_chosen", field="filters")
    action = BulkAction(
        id=new_id(BULK_ACTION), partner_id=principal.partner_id, kind=kind.name, command=command, reason=reason,
        filters=filters, total=len(targets), state="requested", requested_by=principal.person_id,
        requested_via=principal.id, form_key=form_key, created_at=utc_now(),
    )  # fmt: skip
    there = await bulk_actions.add(session, action, targets)
    if there.id != action.id:
        return there
    await audit.write(
        session, actor=principal.id, action="bulk_actions.create", subject=action.id,
        after={"kind": kind.name, "command": command, "reason": reason, "filters": filters, "total": len(targets)},
    )  # fmt: skip
    return action


async def start(services: Services, bulk_id: str) -> None:
    """Begins it; what fails is left to the sweep, since the rows stand."""
    try:
        await start_bulk_action(services.client, bulk_id)
    except RPCError as error:
        log.warning("bulk_action_not_started_yet", bulk_id=bulk_id, status=error.status.name)


async def find(session: AsyncSession, principal: Principal, bulk_id: str, *, for_update: bool = False) -> BulkAction:
    """Raises NotFound, for what another partner's people asked for too, and NotAllowed without the kind's scope."""
    row = await bulk_actions.get(session, bulk_id, for_update=for_update)
    if row is None or not principal.sees(row.partner_id):
        raise NotFound("No bulk action has that id.", field="bulk_id")
    need(principal, kinds.named(row.kind), "write" if for_update else "read")
    return row


async def stop(session: AsyncSession, principal: Principal, bulk_id: str) -> BulkAction:
    """What was not sent yet is not sent. Saying it again, or of one that has ended, changes nothing. Raises as `find`."""
    row = await find(session, principal, bulk_id, for_update=True)
    if await bulk_actions.stop(session, row, via=principal.id):
        await audit.write(session, actor=principal.id, action="bulk_actions.stop", subject=row.id)
    return row


def readable(principal: Principal) -> list[str]:
    """The names of the kinds whose bulk actions one may read. Raises NotAllowed if there is none."""
    found = [kind.name for kind in KINDS if principal.may(kind.scope("read"))]
    if not found:
        need(principal, KINDS[0], "read")
    return found
