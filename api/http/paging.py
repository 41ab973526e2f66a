"""Lists, newest first, page by page: `next_cursor` of one page is `cursor` of the next."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query

from api.http.values import Out, id_pattern
from core.ids import PARTNER

T = TypeVar("T")
R = TypeVar("R")

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]
IdCursor = Annotated[
    str | None, Query(pattern=r"^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$", description="`next_cursor` of the page before")
]
NumberCursor = Annotated[
    str | None, Query(pattern=r"^[1-9][0-9]{0,17}$", description="`next_cursor` of the page before")
]
PartnerFilter = Annotated[str | None, Query(pattern=id_pattern(PARTNER), description="Only this partner's")]


class Page(Out, Generic[T]):
    """One page; `next_cursor` is null on the last one."""

    items: list[T]
    next_cursor: str | None


def page(rows: Sequence[R], limit: int, show: Callable[[R], T], cursor: Callable[[R], object]) -> Page[T]:
    """A page from `limit + 1` rows asked for: the last one only tells that there are more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page(items=[show(row) for row in shown], next_cursor=str(cursor(shown[-1])) if more else None)
