"""The case desk as a list: what a person must decide or look at."""

from typing import Annotated, Final, Literal

from fastapi import Query, Request, Response
from pydantic import StringConstraints

from api.console import showing
from api.console.list_query import PAGE, ListQuery, NothingIfEmpty
from api.console.partner_names import partners_shown
from api.console.payment_list import need
from api.console.routing import console_router
from api.console.visitors import Seen
from api.http.dependencies import ServicesDep
from api.http.values import id_pattern
from api.operations.cases_schemas import CaseOut
from core.ids import PERSON
from models.kinds import PAYOUTS
from models.messages.saga.cases import KINDS
from store.platform import people
from store.saga import cases

router = console_router()

_KINDS: Final = "|".join(sorted(KINDS))
Owner = Annotated[str, StringConstraints(pattern=rf"^(me|nobody|{id_pattern(PERSON)[1:-1]})$")]


class CaseQuery(ListQuery):
    """`owner` is who looks at it: `me`, `nobody`, or a person's id."""

    state: Annotated[Literal["open", "closed", "all"], NothingIfEmpty] = "open"
    kind: Annotated[Annotated[str, StringConstraints(pattern=f"^({_KINDS})$")] | None, NothingIfEmpty] = None
    owner: Annotated[Owner | None, NothingIfEmpty] = None


@router.get("/console/cases")
async def case_list(
    request: Request, services: ServicesDep, visitor: Seen, query: Annotated[CaseQuery, Query()]
) -> Response:
    need(visitor, PAYOUTS)
    principal = visitor.principal
    if query.partner is not None:
        principal.visible(query.partner)
    owner = {"me": principal.person_id, "nobody": None}.get(query.owner or "", query.owner)
    async with services.database.transaction() as session:
        rows = await cases.page(
            session, partner_id=query.partner or principal.partner_id, kind=query.kind, owner=owner,
            state=None if query.state == "all" else query.state, without_owner=query.owner == "nobody",
            before=query.cursor, limit=PAGE + 1,
        )  # fmt: skip
        names = await people.behind(session, [row.owner for row in rows if row.owner])
    shown = rows[:PAGE]
    return showing.page(
        request, "case_list.html", query=query, rows=[CaseOut.of(row) for row in shown], names=names,
        next=query.address(cursor=shown[-1].id) if len(rows) > PAGE else None, kinds=sorted(KINDS),
        partners=await partners_shown(services, visitor),
    )  # fmt: skip
