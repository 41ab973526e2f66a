"""Gives rows their search terms that were there before their terms, or before the key by which terms are hashed now.

One pass over each table in the order of its key, in batches of a transaction each, which also holds how far it has come: what
breaks off goes on there. Rows that come meanwhile write their own terms. At the end the terms of keys that are no longer
given are taken away.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.saga.search_term import SearchFill, SearchTerm
from store.database import Database
from store.saga.search_plain import key_of, tables
from store.saga.search_terms import hasher_of, made_of, searched

_BATCH: Final = 1000
_TERMS, _FILLS = table_of(SearchTerm), table_of(SearchFill)
_WRITE: Final = insert(_TERMS).on_conflict_do_nothing()


@dataclass(frozen=True, slots=True)
class Progress:
    """How many rows of a table have been looked at, in all runs; `done` once it was the last of them."""

    source: str
    rows: int
    done: bool


async def fill(database: Database, *, again: bool = False) -> AsyncIterator[Progress]:
    """Tells of each batch. A table that was done by this key is passed over, unless all is wanted `again`."""
    if again:
        async with database.transaction() as session:
            await session.exec(delete(_FILLS).where(_FILLS.c.key_id == hasher_of(session).key_ids[0]))
    for model in tables():
        if not searched(model).hashed:
            continue
        done = False
        while not done:
            async with database.transaction() as session:
                progress = await _batch(session, model)
            yield progress
            done = progress.done


async def prune(database: Database) -> int:
    """Takes away the terms of keys that are no longer given, by which nothing is found any more; how many there were."""
    gone = 0
    while True:
        async with database.transaction() as session:
            kept = hasher_of(session).key_ids
            key = (_TERMS.c.source, _TERMS.c.subject, _TERMS.c.digest)
            some = select(*key).where(_TERMS.c.key_id.not_in(kept)).limit(_BATCH)
            found = await session.exec(delete(_TERMS).where(tuple_(*key).in_(some)))
            await session.exec(delete(_FILLS).where(_FILLS.c.key_id.not_in(kept)))
        gone += found.rowcount
        if found.rowcount == 0:
            return gone


async def _batch(session: AsyncSession, model: type[SQLModel]) -> Progress:
    hasher, table, how = hasher_of(session), table_of(model), searched(model)
    fill = await session.get(SearchFill, (table.name, hasher.key_ids[0]), with_for_update=True)
    if fill is None:
        fill = SearchFill(source=table.name, key_id=hasher.key_ids[0], after="", rows=0)
    elif fill.done_at is not None:
        return Progress(table.name, fill.rows, done=True)
    key = key_of(table)
    columns = [key, table.c.partner_id, table.c[how.at], *(table.c[term.column] for term in how.hashed)]
    said = or_(*(table.c[term.column].is_not(None) for term in how.hashed))
    query = select(*columns).where(key > fill.after, said).order_by(key).limit(_BATCH)
    connection = await session.connection()
    rows = [dict(row) for row in (await connection.execute(query)).mappings()]
    terms: list[dict[str, Any]] = [term for row in rows for term in made_of(hasher, model, row)]
    if terms:
        await connection.execute(_WRITE, terms)
    if rows:
        fill.after, fill.rows = rows[-1][key.key], fill.rows + len(rows)
    if len(rows) < _BATCH:
        fill.done_at = utc_now()
    session.add(fill)
    await session.flush()
    return Progress(table.name, fill.rows, done=fill.done_at is not None)
