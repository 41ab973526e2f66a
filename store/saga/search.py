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
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import Busy
from core.search_words import Wanted
from models import kinds
from models.tables.platform.partner import Partner
from store import pulse
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


async def find(session: AsyncSession, wanted: Wanted, scope: Scope, *, limit: int = AT_MOST) -> list[Found]:
    """What the text names: exact before in part, and the newest first. Raises Busy (code "search_too_slow") for what too
    many things share."""
    await pulse.allow(session, _PATIENCE)
    try:
        rows = [
            *await search_plain.rows(session, wanted, scope, limit),
            *await search_hashed.rows(session, wanted, scope, limit),
            *await _lenders(session, wanted, scope, limit),
        ]
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELLED:
            raise
        raise Busy("Too much shares this text; say more, or name the lender.", code="search_too_slow") from None
    return _merged(rows, limit)


async def regions(session: AsyncSession, partner_id: str | None) -> list[str]:
    """The countries (ISO 3166) in which a phone without its country may be meant."""
    query = select(Partner.country).distinct()
    if partner_id is not None:
        query = query.where(col(Partner.id) == partner_id)
    return sorted(await session.exec(query))


# There are few partners, so that their names are read through.
_LENDERS: Final = text("""
SELECT 'lender' AS kind, p.id, NULL::text AS saga, p.id AS partner_id, p.created_at AS at,
       (p.id = CAST(:words AS text) OR lower(p.name) = CAST(:words AS text)) AS exact,
       CASE WHEN p.id = CAST(:words AS text) THEN 'id' ELSE 'name' END AS why
  FROM partners p
 WHERE (p.id = CAST(:words AS text) OR strpos(lower(p.name), CAST(:words AS text)) > 0)
   AND (CAST(:partner AS text) IS NULL OR p.id = CAST(:partner AS text))
 ORDER BY exact DESC, p.id DESC LIMIT :limit
""")


async def _lenders(session: AsyncSession, wanted: Wanted, scope: Scope, limit: int) -> list[Any]:
    if not scope.lenders:
        return []
    given = {"words": wanted.text.lower(), "partner": scope.partner_id, "limit": limit}
    return list(await (await session.connection()).execute(_LENDERS, given))


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
