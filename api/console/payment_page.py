"""The page of one payment, of every kind of saga: where its money is, what it waits for, what happened, what may be done."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from api.console import payment_facts, showing
from api.console.list_query import Word
from api.console.payment_list import need
from api.console.routing import console_router
from api.console.visitors import Seen, Visitor
from api.http import problems
from api.http.dependencies import Services, ServicesDep
from api.http.values import id_pattern
from core.errors import KivukoError
from core.ids import new_id
from models.kinds import KINDS, SagaKind

router = console_router()


class PageQuery(BaseModel):
    """`tab` is what is shown below, `before` the number of the last call of the page before, `done` what was done a moment
    ago."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tab: Literal[payment_facts.TABS] = "timeline"  # type: ignore[valid-type]
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
    done: Word | None = None


class NowQuery(BaseModel):
    """`stage` is what the page showed when it was opened."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Word


def of_row(kind: SagaKind) -> object:
    """The type of a path's row id."""
    return Annotated[str, Path(pattern=id_pattern(kind.id_prefix))]


def _add(kind: SagaKind) -> None:
    async def opened(
        row_id: str, request: Request, services: ServicesDep, visitor: Seen, query: Annotated[PageQuery, Query()]
    ) -> Response:
        need(visitor, kind)
        return await shown(request, services, visitor, kind, row_id, query)

    async def now(
        row_id: str, request: Request, services: ServicesDep, visitor: Seen, query: Annotated[NowQuery, Query()]
    ) -> Response:
        """The part of the page that moves on by itself."""
        need(visitor, kind)
        payment = await payment_facts.payment_of(services, visitor, kind, row_id)
        return showing.page(request, "payment_now.html", zone=payment.zone, payment=payment, opened_at=query.stage)

    for path, endpoint, name in (("", opened, "page"), ("/now", now, "now")):
        endpoint.__annotations__["row_id"] = of_row(kind)
        router.add_api_route(
            f"/console{kind.path}/{{row_id}}{path}", endpoint, methods=["GET"], name=f"console_{kind.leaf}_{name}"
        )


async def shown(
    request: Request, services: Services, visitor: Visitor, kind: SagaKind, row_id: str, query: PageQuery,
    *, error: KivukoError | None = None, typed: dict[str, Any] | None = None,
) -> Response:  # fmt: skip
    """The page; with `error`, after something that was not done, and what was `typed` then. Raises NotFound."""
    payment = await payment_facts.payment_of(services, visitor, kind, row_id)
    return showing.page(
        request, "payment.html", status=200 if error is None else problems.status_of(error), zone=payment.zone,
        payment=payment, tab=query.tab, tabs=payment_facts.TABS, done=query.done, error=error, typed=typed or {},
        held=await payment_facts.tab_of(services, payment.row, query.tab, query.before), key=new_id("frm"),
        temporal=showing.temporal_page(request, payment.row.workflow_id), opened_at=payment.row.stage,
    )  # fmt: skip


for _kind in KINDS:
    _add(_kind)
