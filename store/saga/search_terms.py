"""What people are found by, written with the row that it describes: keyed hashes of phones and names.

Whoever inserts a row of a table with such columns, or sets one, does it through here, in the same transaction: what a table
is found by stands beside its columns (`models/tables/searched.py`). The keys come with the session, from the settings of
its process (`store/database.py`).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import TermHasher
from core.search_words import name_words
from models.tables.base import table_of
from models.tables.saga.search_term import SearchTerm
from models.tables.searched import Searched, What

_TERMS = table_of(SearchTerm)
_WRITE: Final = insert(_TERMS).on_conflict_do_nothing()
HASHER: Final = "search_hasher"  # in a session's `info`


def hasher_of(session: AsyncSession) -> TermHasher:
    found = session.info[HASHER]
    assert isinstance(found, TermHasher)
    return found


def searched(model: type[SQLModel]) -> Searched:
    """What the rows of this class are found by. Raises AttributeError for a class that does not say."""
    found = model.search  # type: ignore[attr-defined]
    assert isinstance(found, Searched)
    return found


def words_of(what: What, value: str) -> tuple[str, ...]:
    """What a value is hashed as: a phone as it is; a name whole and by its words, each once."""
    if what == "phone":
        return (value,)
    words = name_words(value)
    return words if len(words) < 2 else (whole_name(words), *words)


def whole_name(words: Iterable[str]) -> str:
    """One text of all words of a name, by which the same name is found before those that share a word with it."""
    return " ".join(words)


async def write(session: AsyncSession, model: type[SQLModel], row: Mapping[str, Any]) -> None:
    """The terms of a row of this class that has just been inserted or changed: `row` holds its key, partner and time, and
    those of its columns that are there. What is there already is left as it is."""
    rows = list(made_of(hasher_of(session), model, row))
    if rows:
        # Not `values(rows)`: SQLAlchemy would compile such a statement anew each time.
        await (await session.connection()).execute(_WRITE, rows)


def made_of(hasher: TermHasher, model: type[SQLModel], row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of `search_terms` that describe this one, by the first key."""
    how, table = searched(model), table_of(model)
    (key,) = table.primary_key.columns
    given = {
        (term.what, word): None
        for term in how.hashed
        if row.get(term.column)
        for word in words_of(term.what, row[term.column])
    }
    at: datetime = row[how.at]
    for what, word in given:
        yield {
            "source": table.name, "subject": row[key.name], "digest": hasher.hash(what, word),
            "key_id": hasher.key_ids[0], "partner_id": row["partner_id"], "what": what, "at": at,
        }  # fmt: skip
