"""The half of the search that asks for people: a phone or a name, by keyed hash alone.

A name is found whole, whatever the order of its words, or by some of its words: then the rows that hold the rarest of
them are looked through for the others.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ARRAY, Text, any_, bindparam, cast, select, text
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from core.search_words import Wanted
from models.tables.base import table_of
from store.saga.search_plain import Scope, key_of, may_be_seen, saga_of, tables
from store.saga.search_terms import hasher_of, searched, whole_name

# If even the rarest word is in more rows than these, its newest ones are looked through for the other words.
_DEEP: Final = 2000
_ROWS_OF_ONE: Final = 4  # that may name one payment's person: its own, what was sent, what was asked for, what came in

# By partner, so that it costs the same whoever else has such a customer; the index gives each one's newest.
_OF_ONE: Final = """
SELECT t.source, t.subject, t.at FROM search_terms t
 WHERE t.digest = CAST(:digest AS bytea) AND t.partner_id = CAST(:partner AS text)
 ORDER BY t.at DESC LIMIT :depth"""
# How old the last of the newest is, the index knows alone; only those are read from the table.
_OF_ALL: Final = """
SELECT t.source, t.subject, t.at
  FROM (SELECT min(n.at) AS at
          FROM (SELECT l.at FROM partners p
                 CROSS JOIN LATERAL (SELECT t.at FROM search_terms t
                                      WHERE t.digest = CAST(:digest AS bytea) AND t.partner_id = p.id
                                      ORDER BY t.at DESC LIMIT :depth) l
                 ORDER BY l.at DESC LIMIT :depth) n) cut
 CROSS JOIN partners p
 CROSS JOIN LATERAL (SELECT * FROM search_terms t
                      WHERE t.digest = CAST(:digest AS bytea) AND t.partner_id = p.id AND t.at >= cut.at
                      ORDER BY t.at DESC LIMIT :depth) t"""
_ALL_WORDS: Final = """
SELECT w.source, w.subject FROM ({first}) w
 WHERE NOT EXISTS (SELECT FROM unnest(CAST(:others AS bytea[])) o(digest)
                    WHERE NOT EXISTS (SELECT FROM search_terms x
                                       WHERE x.source = w.source AND x.subject = w.subject AND x.digest = o.digest))
 ORDER BY w.at DESC LIMIT :limit"""
# How many rows hold each word, as far as that matters: the index says it alone.
_COUNT: Final = text("""
SELECT d.digest FROM unnest(CAST(:digests AS bytea[])) WITH ORDINALITY d(digest, place)
 ORDER BY (SELECT count(*) FROM (SELECT FROM search_terms t
                                  WHERE t.digest = d.digest
                                    AND (CAST(:partner AS text) IS NULL OR t.partner_id = CAST(:partner AS text))
                                  LIMIT :depth) c), d.place
""")
_FIND: Final = {
    True: text(_ALL_WORDS.format(first=_OF_ONE)),
    False: text(_ALL_WORDS.format(first=_OF_ALL)),
}


@dataclass(frozen=True, slots=True)
class HashedRow:
    """As the rows of `search_plain.rows` are."""

    kind: str
    id: str
    saga: str | None
    partner_id: str | None
    at: datetime
    exact: bool
    why: str


@dataclass(frozen=True, slots=True)
class _Question:
    """Rows that have all of these words."""

    what: str
    exact: bool
    words: tuple[str, ...]


async def rows(session: AsyncSession, wanted: Wanted, scope: Scope, limit: int) -> list[HashedRow]:
    """Those that are a phone's or a name's, of each way to read the text the newest, at most `limit`."""
    hasher = hasher_of(session)
    terms: dict[tuple[str, str], _Question] = {}
    for question in _questions(wanted):
        hashed = [hasher.hashes(question.what, word) for word in question.words]
        for digests in zip(*hashed, strict=True):  # all of them by one key
            for source, subject in await _with_all(session, digests, scope, limit):
                terms.setdefault((source, subject), question)
    return await _described(session, terms, scope)


def _questions(wanted: Wanted) -> Iterator[_Question]:
    for phone in wanted.phones:
        yield _Question("phone", True, (phone,))
    if wanted.name:
        yield _Question("name", True, (whole_name(wanted.name),))
    if len(wanted.name) > 1:
        yield _Question("name", False, wanted.name)


async def _with_all(
    session: AsyncSession, digests: tuple[bytes, ...], scope: Scope, limit: int
) -> list[tuple[str, str]]:
    of_one, connection = scope.partner_id is not None, await session.connection()
    if len(digests) > 1:
        counted = {"digests": list(digests), "partner": scope.partner_id, "depth": _DEEP}
        digests = tuple((await connection.execute(_COUNT, counted)).scalars())
    first, *others = digests
    given = {
        "digest": first, "others": others, "partner": scope.partner_id, "limit": limit * _ROWS_OF_ONE,
        "depth": _DEEP if others else limit * _ROWS_OF_ONE,
    }  # fmt: skip
    return [tuple(row) for row in await connection.execute(_FIND[of_one], given)]


async def _described(session: AsyncSession, terms: dict[tuple[str, str], _Question], scope: Scope) -> list[HashedRow]:
    """The rows that these terms are of, as far as they may be seen."""
    subjects: dict[str, list[str]] = defaultdict(list)
    for source, subject in terms:
        subjects[source].append(subject)
    found: list[HashedRow] = []
    for model in tables():
        if (source := table_of(model).name) not in subjects:
            continue
        statement = _rows_of(model, scope.partner_id is not None, scope.loose)
        given = {"subjects": subjects[source], "partner": scope.partner_id, "kinds": sorted(scope.kinds)}
        for row in await (await session.connection()).execute(statement, given):
            question = terms[source, row.id]
            found.append(
                HashedRow(searched(model).kind, row.id, row.saga, row.partner_id, row.at, question.exact, question.what)
            )
    return found


@cache
def _rows_of(model: type[SQLModel], of_one: bool, loose: bool) -> Any:
    table, how = table_of(model), searched(model)
    key = key_of(table)
    return select(
        cast(key, Text).label("id"), saga_of(table, how).label("saga"), table.c.partner_id, table.c[how.at].label("at")
    ).where(key == any_(bindparam("subjects", type_=ARRAY(Text))), *may_be_seen(table, how, of_one=of_one, loose=loose))
