"""Paging through a list whose rows leave it while we read.

Offset paging shifts: when k rows before the offset leave, the next page begins k rows too late and k loans are missed
(SCARS: the loan list is read as one page without an order). Rows come ordered by id, so a page is known to be gapless
if it starts at or before the last id that we hold. If it does not, we step back and read again.

A row without an id has no place in that order; it is known again by its content.
"""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, Final

from core.errors import Transient
from providers.fineract.rows import digest_of, id_of
from providers.fineract.shapes import Unreadable

FetchPage = Callable[[int, int], Awaitable[list[Any]]]

_MAX_READS: Final = 2_000


async def read_all_by_id(fetch: FetchPage, page: int) -> list[Any]:
    """Every row that was in the list all the time, once each, by id; those without an id last. `fetch(offset, limit)` reads
    one page.

    Raises Unreadable if the server does not keep the order (then nothing could be promised), Transient if the list
    does not settle within a bounded number of reads.
    """
    page = max(page, 2)  # one row of each page is an overlap
    held: dict[int, Any] = {}
    odd: dict[str, Any] = {}
    offset, last = 0, 0
    for _ in range(_MAX_READS):
        rows = await fetch(offset, page)
        numbers = [number for row in rows if (number := id_of(row)) is not None]
        if any(before >= after for before, after in pairwise(numbers)):
            raise Unreadable("Fineract does not keep the order by id that was asked for.")
        if offset and not _overlaps(rows, last, odd):
            offset = max(0, offset - page)
            continue
        for row in rows:
            number = id_of(row)
            if number is None:
                odd[digest_of(row)] = row
            else:
                held[number] = row
        last = max(last, *numbers, 0)
        # Fewer rows than asked for is the end. More is a server that ignores `limit`: then this was everything.
        if len(rows) != page:
            return [held[number] for number in sorted(held)] + list(odd.values())
        # The last row held is asked for again: finding it in its place proves that nothing before it moved.
        offset += page - 1
    raise Transient("Fineract's list did not settle while it was read.", code="list_unsettled")


def _overlaps(rows: list[Any], last: int, odd: dict[str, Any]) -> bool:
    """Whether the page begins with something that we hold."""
    if not rows:
        return False
    number = id_of(rows[0])
    return digest_of(rows[0]) in odd if number is None else number <= last
