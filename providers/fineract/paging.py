"""Paging through a list whose rows leave it while we read.

Offset paging shifts: when k rows before the offset leave, the next page begins k rows too late and k loans are missed
(SCARS: the loan list is read as one page without an order). Rows come ordered by id, so a page is known to be gapless
if it starts at or before the last id that we hold. If it does not, we step back and read again.
"""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any, Final

from core.errors import Transient
from providers.fineract.shapes import Unreadable

Row = dict[str, Any]
FetchPage = Callable[[int, int], Awaitable[list[Row]]]

_MAX_READS: Final = 2_000


async def read_all_by_id(fetch: FetchPage, page: int) -> list[Row]:
    """Every row that was in the list all the time, once each, by id. `fetch(offset, limit)` reads one page.

    Raises Unreadable if the server does not keep the order (then nothing could be promised), Transient if the list
    does not settle within a bounded number of reads.
    """
    page = max(page, 2)  # one row of each page is an overlap
    held: dict[int, Row] = {}
    offset, last = 0, 0
    for _ in range(_MAX_READS):
        rows = await fetch(offset, page)
        ids = [row["id"] for row in rows]
        if any(before >= after for before, after in pairwise(ids)):
            raise Unreadable("Fineract does not keep the order by id that was asked for.")
        if offset and (not ids or ids[0] > last):
            offset = max(0, offset - page)
            continue
        held.update(zip(ids, rows, strict=True))
        last = max(last, *ids, 0)
        # Fewer rows than asked for is the end. More is a server that ignores `limit`: then this was everything.
        if len(rows) != page:
            return [held[loan_id] for loan_id in sorted(held)]
        # The last row held is asked for again: finding it in its place proves that nothing before it moved.
        offset += page - 1
    raise Transient("Fineract's list did not settle while it was read.", code="list_unsettled")
