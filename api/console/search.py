"""The search box. What is looked for may be a person's phone or name: it is posted, and never part of an address."""

from typing import Annotated, Any, Final

from fastapi import Form, Request, Response
from pydantic import StringConstraints

from api.console import showing
from api.console.forms import ConsoleForm
from api.console.payment_acts import read_decision
from api.console.routing import console_router, see_other
from api.console.visitors import Acting, Seen, Visitor
from api.http import problems
from api.http.dependencies import ServicesDep
from api.operations import search
from api.operations.search_schemas import HitOut, RevealIn, RevealOut, SearchIn, SearchOut
from core.errors import KivukoError
from core.search_words import LONGEST
from models import kinds
from models.kinds import PAYOUTS

router = console_router()

_PAGE: Final = "/console/search"
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$")]
_NOT_SAGAS: Final = ("case", "incoming payment", "lender")


class SearchForm(ConsoleForm):
    """`q` is whatever is known of it."""

    q: Text = ""


class RevealForm(SearchForm):
    """Whose phone is to be shown among what `q` finds."""

    id: Text = ""


@router.get(_PAGE)
async def search_page(request: Request, visitor: Seen) -> Response:
    return _shown(request, visitor, "", None)


@router.post(_PAGE)
async def search_everywhere(
    request: Request, services: ServicesDep, visitor: Acting, form: Annotated[SearchForm, Form()]
) -> Response:
    """What is found alone is shown at once."""
    try:
        wanted: SearchIn = read_decision(SearchIn, {"q": form.q})
        found = await search.find(services, visitor.principal, wanted)
    except KivukoError as error:
        return _shown(request, visitor, form.q, None, error=error)
    hits = [hit for group in found.groups for hit in group.hits]
    page = _page_of(visitor, hits[0]) if len(hits) == 1 and hits[0].kind != "lender" else None
    return see_other(page) if page else _shown(request, visitor, form.q, found)


@router.post(f"{_PAGE}/reveal")
async def reveal(
    request: Request, services: ServicesDep, visitor: Acting, form: Annotated[RevealForm, Form()]
) -> Response:
    """The same results, with one phone whole. Each time it is asked is in the audit log."""
    whose: RevealIn = read_decision(RevealIn, {"id": form.id})
    told = await search.reveal(services, visitor.principal, whose.id)
    wanted: SearchIn = read_decision(SearchIn, {"q": form.q or whose.id})
    found = await search.find(services, visitor.principal, wanted)
    return _shown(request, visitor, form.q, found, told=told)


def _shown(
    request: Request, visitor: Visitor, q: str, found: SearchOut | None, *, told: RevealOut | None = None,
    error: KivukoError | None = None,
) -> Response:  # fmt: skip
    hits = [hit for group in found.groups for hit in group.hits] if found else []
    lines = [_line(visitor, hit, told) for hit in hits]
    return showing.page(
        request, "search.html", status=200 if error is None else problems.status_of(error),
        headers=problems.retry_after(error) if error else None, q=q, found=found, error=error,
        parts=[(word, some) for word, some in (
            ("exact", [one for one in lines if one["hit"].exact]),
            ("in_part", [one for one in lines if not one["hit"].exact]),
        ) if some],
    )  # fmt: skip


def _line(visitor: Visitor, hit: HitOut, told: RevealOut | None) -> dict[str, Any]:
    is_saga = hit.kind not in _NOT_SAGAS
    revealed = told is not None and told.id == hit.id
    return {
        "hit": hit, "page": _page_of(visitor, hit), "is_saga": is_saga,
        "word": f"kinds.{kinds.named(hit.kind).resource}" if is_saga else f"find.kinds.{hit.kind.replace(' ', '_')}",
        "phone": told.phone if revealed and told else hit.phone,
        "may_reveal": bool(hit.phone) and not revealed and hit.kind != "case" and visitor.principal.may("phones:read"),
    }  # fmt: skip


def _page_of(visitor: Visitor, hit: HitOut) -> str | None:
    """None for what the console has no page of, or none that this visitor may open."""
    if hit.kind == "lender":
        return f"/console?partner={hit.id}"
    if hit.kind == "case":
        return f"/console/cases/{hit.id}" if visitor.may(PAYOUTS, "read") else None
    return None if hit.kind in _NOT_SAGAS else f"/console{kinds.named(hit.kind).path}/{hit.id}"
