"""Lists of payments, of every kind of saga: filtered, page by page without counting, and as a file."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from starlette.responses import StreamingResponse

from api.console import kinds_shown, showing
from api.console.list_query import PAGE, PaymentQuery
from api.console.partner_names import partners_shown
from api.console.routing import console_router
from api.console.visitors import Seen, Visitor
from api.http.dependencies import Services, ServicesDep
from core import csv_files
from core.errors import NotAllowed
from models.kinds import KINDS, SagaKind
from models.statuses import status_of
from models.tables.saga.saga_row import SagaRow

router = console_router()

_STATUSES: Final = ("pending", "processing", "completed", "failed", "cancelled")
_CSV_PAGE: Final = 500
_COLUMNS: Final = (
    "id", "partner_id", "created_at", "ended_at", "status", "stage", "subject", "currency", "amount", "reason_code",
    "client_reference",
)  # fmt: skip


def _add(kind: SagaKind) -> None:
    async def listed(
        request: Request, services: ServicesDep, visitor: Seen, query: Annotated[PaymentQuery, Query()]
    ) -> Response:
        need(visitor, kind)
        rows = await _page(services, visitor, kind, query, query.cursor, PAGE + 1)
        shown = rows[:PAGE]
        return showing.page(
            request, "payment_list.html", kind=kind, query=query, rows=[_line(kind, row) for row in shown],
            next=query.address(cursor=shown[-1].id) if len(rows) > PAGE else None, statuses=_STATUSES,
            stages=kinds_shown.stages_of(kind), may_act=visitor.may(kind, "write"),
            partners=await partners_shown(services, visitor),
        )  # fmt: skip

    async def as_file(services: ServicesDep, visitor: Seen, query: Annotated[PaymentQuery, Query()]) -> Response:
        need(visitor, kind)
        headers = {"Content-Disposition": f'attachment; filename="{kind.resource}.csv"'}
        # Read before the answer begins: what is refused is refused with a page.
        first = await _page(services, visitor, kind, query, query.cursor, _CSV_PAGE)
        return StreamingResponse(_file(services, visitor, kind, query, first), media_type="text/csv", headers=headers)

    router.add_api_route(f"/console{kind.path}", listed, methods=["GET"], name=f"console_{kind.leaf}_list")
    router.add_api_route(f"/console{kind.path}.csv", as_file, methods=["GET"], name=f"console_{kind.leaf}_file")


def need(visitor: Visitor, kind: SagaKind) -> None:
    """Raises NotAllowed (code "scope_missing") for somebody who may not read these."""
    if not visitor.may(kind, "read"):
        scope = kind.scope("read")
        raise NotAllowed(f"You lack the scope {scope}.", code="scope_missing", scope=scope)


async def _page(
    services: Services, visitor: Visitor, kind: SagaKind, query: PaymentQuery, before: str | None, limit: int
) -> list[SagaRow]:
    """Raises NotFound for another's partner."""
    return await kinds_shown.resource_of(kind).page(
        services, visitor.principal, partner_id=query.partner, stage=query.stage, before=before, limit=limit,
        only=query.filters(visitor.zone),
    )  # fmt: skip


def _line(kind: SagaKind, row: SagaRow) -> dict[str, Any]:
    facts = kinds_shown.facts_of(kind, row)
    return {
        "row": row, "subject": kinds_shown.subject_of(facts), "amount": facts.get("amount"),
        "tone": kinds_shown.tone_of(row), "phone": facts.get("phone"),
    }  # fmt: skip


async def _file(
    services: Services, visitor: Visitor, kind: SagaKind, query: PaymentQuery, rows: list[SagaRow]
) -> AsyncIterator[str]:
    """Page by page, so that a long list costs no more memory than a short one; `rows` are the first page."""
    yield csv_files.write(_COLUMNS, [])
    while rows:
        yield csv_files.lines(_cells(kind, row) for row in rows)
        if len(rows) < _CSV_PAGE:
            return
        rows = await _page(services, visitor, kind, query, rows[-1].id, _CSV_PAGE)


def _cells(kind: SagaKind, row: SagaRow) -> list[str | None]:
    facts = kinds_shown.facts_of(kind, row)
    amount = facts.get("amount") or {}
    return [
        row.id, row.partner_id, row.created_at.isoformat(), row.ended_at.isoformat() if row.ended_at else None,
        status_of(row.stage, ended=row.ended_at is not None), row.stage, kinds_shown.subject_of(facts),
        amount.get("currency"), amount.get("amount"), row.reason_code, row.client_reference,
    ]  # fmt: skip


for _kind in KINDS:
    _add(_kind)
