"""The first page: what needs somebody, one row for each problem, the oldest first."""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request, Response
from pydantic import StringConstraints

from api.console import navigation, showing
from api.console.case_list import Owner
from api.console.list_query import PAGE, ListQuery, NothingIfEmpty
from api.console.partner_names import partners_shown
from api.console.routing import HOME, console_router, see_other
from api.console.visitors import Seen, Visitor
from api.http.dependencies import ServicesDep
from api.operations import attention
from api.operations.attention_schemas import ProblemOut
from core.clock import utc_now
from models import kinds
from models.kinds import PAYOUTS
from models.problems import MEANS
from store.platform import people
from store.saga.attention import Filters

router = console_router()

_PROBLEMS: Final = "|".join(MEANS)
_AGES: Final = ("15", "60", "240", "1440")  # minutes
_TONES: Final = {"unknown": "bad", "with_us": "warn", "with_client": "good", "with_payer": "plain"}


class HomeQuery(ListQuery):
    """`minutes`: only what began so long ago or earlier. `owner` is who looks at its case: `me`, `nobody`, or a person's
    id."""

    cursor: Annotated[
        Annotated[str, StringConstraints(pattern=attention.CURSOR)] | None, NothingIfEmpty
    ] = None  # fmt: skip
    problem: Annotated[Annotated[str, StringConstraints(pattern=f"^({_PROBLEMS})$")] | None, NothingIfEmpty] = None
    owner: Annotated[Owner | None, NothingIfEmpty] = None
    minutes: Annotated[Literal["15", "60", "240", "1440"] | None, NothingIfEmpty] = None


@router.get(HOME)
async def home(
    request: Request, services: ServicesDep, visitor: Seen, query: Annotated[HomeQuery, Query()]
) -> Response:
    """The account, for somebody who may look at nothing."""
    if not navigation.menu(visitor):
        return see_other("/console/account")
    filters = Filters(
        problems=frozenset([query.problem] if query.problem else MEANS),
        owner={"me": visitor.person.id, "nobody": None}.get(query.owner or "", query.owner),
        unowned=query.owner == "nobody",
        older_than=timedelta(minutes=int(query.minutes or 0)),
    )
    rows, lenders = await attention.find(
        services, visitor.principal, filters, partner_id=query.partner, cursor=query.cursor, limit=PAGE + 1
    )
    async with services.database.transaction() as session:
        names = await people.behind(session, [row.owner for row in rows if row.owner])
    shown, now = rows[:PAGE], utc_now()
    problems = [ProblemOut.of(row, lenders.get(row.partner_id or ""), now) for row in shown]
    return showing.page(
        request, "home.html", query=query, rows=[_line(visitor, one) for one in problems], names=names,
        next=query.address(cursor=attention.cursor_of(shown[-1])) if len(rows) > PAGE else None, problems=list(MEANS),
        ages=_AGES, partners=await partners_shown(services, visitor),
    )  # fmt: skip


def _line(visitor: Visitor, one: ProblemOut) -> dict[str, Any]:
    return {
        "problem": one, "page": _page_of(visitor, one), "age": _age(one.age_seconds),
        "tone": _TONES.get(one.money or "", "plain"), "place": one.money and one.money.removeprefix("with_"),
    }  # fmt: skip


def _page_of(visitor: Visitor, one: ProblemOut) -> str | None:
    """Where one sees more of it and does something; None where the console has no page of it."""
    if one.case_id is not None and visitor.may(PAYOUTS, "read"):
        return f"/console/cases/{one.case_id}"
    if one.problem == "approval":
        return f"/console/approvals/{one.id}"
    return f"/console{kinds.named(one.saga.kind).path}/{one.saga.id}" if one.saga is not None else None


def _age(seconds: int) -> tuple[str, int]:
    """In the largest unit of which it is one or more, and which."""
    for unit, length in (("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return unit, seconds // length
    return "minutes", seconds // 60
