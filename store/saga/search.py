"""From what somebody knows of a payment to the payment: by index probes alone, whatever the text is.

Every table says what its rows are found by (`models/tables/searched.py`); a family's tables are asked because they say so. A
partner is part of each probe, so that what another has is neither found nor takes time.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import Busy
from core.search_words import read
from models import kinds
from store.saga import search_hashed, search_plain
from store.saga.search_plain import Scope

AT_MOST: Final = 50  # things that one search finds
_PATIENCE: Final = timedelta(seconds=2)
_CANCELLED: Final = "57014"  # PostgreSQL's code for a statement that took too long


@dataclass(frozen=True, slots=True)
class Found:
    """One thing and why it was found. `kind` is the name of a kind of saga, or what else it is ("case", "incoming payment",
    "lender"); `workflow_id` is that of the saga, and `id` that of the row by which it was found. `exact`: the whole text is
    its own, and not only a part."""

    kind: str
    id: str
    workflow_id: str | None
    partner_id: str | None
    at: datetime
    exact: bool
    why: tuple[str, ...]


async def find(session: AsyncSession, q: str, scope: Scope, *, limit: int = AT_MOST) -> list[Found]:
    """What the text names (one line of at most `core.search_words.LONGEST`): exact before in part, and the newest first.
    Raises Busy (code "search_too_slow") for what too many things share."""
    wanted = read(q, regions=await _regions(session, scope.partner_id))
    try:
        rows = [
            *await search_plain.rows(session, wanted, scope, limit),
            *await search_hashed.rows(session, wanted, scope, limit),
        ]
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED:
            raise
        raise Busy("Too much shares this text; say more, or name the lender.", code="search_too_slow") from None
    return _merged(rows, limit)


_BEGIN: Final = text("""
SELECT set_config('statement_timeout', :ms, true),
       ARRAY(SELECT DISTINCT country FROM partners WHERE id = coalesce(CAST(:partner AS text), id) ORDER BY country)
""")


async def _regions(session: AsyncSession, partner_id: str | None) -> list[str]:
    """The countries (ISO 3166) in which a phone without its country may be meant. What is asked after it has little time."""
    given = {"ms": str(_PATIENCE // timedelta(milliseconds=1)), "partner": partner_id}
    _, found = (await (await session.connection()).execute(_BEGIN, given)).one()
    return list(found)


def _merged(rows: Iterable[Any], limit: int) -> list[Found]:
    """What was found in several ways is one thing: a payment, by its receipt and by its payer's phone."""
    by_thing: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_thing[row.saga or row.id].append(row)
    things = [_one(name, found) for name, found in by_thing.items()]
    things.sort(key=lambda one: (not one.exact, -one.at.timestamp(), one.id))
    return things[:limit]


def _one(name: str, rows: list[Any]) -> Found:
    first = rows[0]
    kind = kinds.of_workflow(name) if first.saga else None
    return Found(
        kind=kind.name if kind else first.kind,
        id=first.id,
        workflow_id=first.saga,
        partner_id=first.partner_id,
        at=min(row.at for row in rows),
        exact=any(row.exact for row in rows),
        why=tuple(dict.fromkeys(row.why for row in rows)),
    )
