"""All that needs somebody's attention in one list, the oldest first: one row for each problem, whatever it is about.

Each kind of problem is one question of one or two tables (`attention_sources.py`), bounded before they are put together, so
that a page costs as much however many there are. What a case says already is said once: by the case, which has an owner.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, union_all
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.problems import MEANS, Problem
from models.tables.base import UtcDateTime
from store.saga import attention_sources, saga_facts, whereabouts
from store.saga.attention_sources import Sight
from store.saga.saga_facts import SagaFacts
from store.saga.whereabouts import Money, Whereabouts

# What nobody has told anything of for so long is a problem: until then it is on its way.
SILENT_AFTER: Final = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which problems are wanted. `owner` is the key of whoever looks at it; `unowned` leaves out what somebody does."""

    problems: frozenset[Problem] = frozenset(MEANS)
    owner: str | None = None
    unowned: bool = False
    older_than: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Row:
    """One problem. `about` says what of: a kind of case, a provider, an act, an event, a schedule's id; `says` is what is
    known of it in words. `needed_minor` is what a wallet lacks for it to go on. `evidence` is a case's. `saga` and `money`
    are of its saga, if it has one."""

    problem: Problem
    id: str
    since: datetime
    partner_id: str | None
    workflow_id: str | None
    case_id: str | None
    about: str
    code: str | None
    says: str | None
    owner: str | None
    next_at: datetime | None
    tries: int | None
    needed_minor: int | None
    evidence: dict[str, Any]
    saga: SagaFacts | None
    money: Money | None


async def page(
    session: AsyncSession,
    sight: Sight,
    filters: Filters,
    *,
    after: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Row]:
    """The oldest first; `after` is `since` and `id` of the last row of the page before."""
    now = utc_now()
    found = attention_sources.of(sight, filters.problems, now=now, silent_after=SILENT_AFTER)
    if not found:
        return []
    bounded = [_bounded(query, filters, now, after, limit) for query in found]
    all_of_them = union_all(*bounded).subquery()
    query = select(all_of_them).order_by(all_of_them.c.since, all_of_them.c.id.collate("C")).limit(limit)
    rows = list(await (await session.connection()).execute(query))
    sagas = {row.workflow_id for row in rows if row.workflow_id}
    facts = await saga_facts.of_workflows(session, sagas)
    places = await whereabouts.of_workflows(session, sagas)
    return [_row(row, facts, places) for row in rows]


async def counts(session: AsyncSession, sight: Sight, *, at_most: int = 1000) -> dict[Problem, int]:
    """How many there are of each kind of problem, those that there are; no more than `at_most` of one source are counted."""
    now = utc_now()
    found = attention_sources.of(sight, frozenset(MEANS), now=now, silent_after=SILENT_AFTER)
    if not found:
        return {}
    some = [select(select(query.subquery().c.problem).limit(at_most).subquery()) for query in found]
    whole = union_all(*some).subquery()
    query = select(whole.c.problem, func.count().label("number")).group_by(whole.c.problem)
    return {row.problem: row.number for row in await (await session.connection()).execute(query)}


def _bounded(
    query: Select[Any], filters: Filters, now: datetime, after: tuple[datetime, str] | None, limit: int
) -> Select[Any]:
    """The part of one source that a page may need."""
    c = query.subquery().c
    conditions: list[ColumnElement[bool]] = [c.since <= now - filters.older_than]
    if filters.owner is not None:
        conditions.append(c.owner == filters.owner)
    if filters.unowned:
        conditions.append(c.owner.is_(None))
    if after is not None:
        since, last = literal(after[0], UtcDateTime), literal(after[1])
        conditions.append(or_(c.since > since, and_(c.since == since, c.id.collate("C") > last)))
    part = select(*c).where(*conditions).order_by(c.since, c.id.collate("C")).limit(limit).subquery()
    return select(part)


def _row(row: Any, facts: dict[str, SagaFacts], places: dict[str, Whereabouts]) -> Row:
    saga, place = facts.get(row.workflow_id), places.get(row.workflow_id)
    told = {name: getattr(row, name) for name in Row.__dataclass_fields__ if hasattr(row, name)}
    if row.next_at is None and row.case_id is not None:  # a case knows nothing of what its saga does meanwhile
        told["next_at"] = (saga and saga.next_try_at) or (place and place.next_query_at)
    told["evidence"] = row.evidence or {}
    return Row(**told, saga=saga, money=place.money if place else None)
