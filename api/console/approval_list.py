"""What waits for other people to agree, as a list: first what the reader could answer."""

from typing import Annotated, Final, Literal

from fastapi import Query, Request, Response
from pydantic import StringConstraints

from api.console import showing
from api.console.list_query import PAGE, ListQuery, NothingIfEmpty
from api.console.partner_names import partners_shown
from api.console.routing import console_router
from api.console.visitors import Seen, Visitor
from api.http.dependencies import ServicesDep
from api.operations.acts import acts_of
from api.operations.approvals import show_all
from core.errors import NotAllowed
from store.platform import approvals

router = console_router()

STATES: Final = ("open", "approved", "rejected", "expired", "cancelled", "stale")
State = Literal["mine", "all", "open", "approved", "rejected", "expired", "cancelled", "stale"]


class ApprovalQuery(ListQuery):
    """`mine`: those that are open and that the reader could answer now."""

    state: Annotated[State, NothingIfEmpty] = "mine"
    act: Annotated[Annotated[str, StringConstraints(max_length=80, pattern=r"^[a-z_.\-]+$")] | None, NothingIfEmpty] = (
        None
    )


@router.get("/console/approvals")
async def approval_list(
    request: Request, services: ServicesDep, visitor: Seen, query: Annotated[ApprovalQuery, Query()]
) -> Response:
    principal = visitor.principal
    acts = need_any(visitor)
    if query.partner is not None:
        principal.visible(query.partner)
    mine = query.state == "mine"
    async with services.database.transaction() as session:
        rows = await approvals.page(
            session, partner_id=query.partner or principal.partner_id,
            state="open" if mine else None if query.state == "all" else query.state,
            acts=[name for name in acts if query.act in (None, name)],
            without=principal.person_id if mine else None, before=query.cursor, limit=PAGE + 1,
        )  # fmt: skip
        shown = await show_all(session, principal, rows[:PAGE])
    return showing.page(
        request, "approval_list.html", query=query, rows=[one for one in shown if one.yours_to_answer or not mine],
        next=query.address(cursor=rows[PAGE - 1].id) if len(rows) > PAGE else None, states=STATES, acts=acts,
        partners=await partners_shown(services, visitor),
    )  # fmt: skip


def need_any(visitor: Visitor) -> list[str]:
    """The acts that the visitor may answer. Raises NotAllowed (code "scope_missing") for somebody who may answer none."""
    acts = acts_of(visitor.principal)
    if not acts:
        raise NotAllowed("You lack the scopes of all acts that need others to agree.", code="scope_missing")
    return acts
