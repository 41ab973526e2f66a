"""What a table's rows are found by, said beside its columns: the search asks every table that says so, and has no list.

What is exact and nobody's own (ids, receipts, references, account numbers) is looked up in its own column, which has an
index that begins with it. Phones and names are looked up by keyed hash alone, in `search_terms`.
"""

from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import Index, text

What = Literal["receipt", "reference", "account", "loan", "phone", "name"]
# As it is kept: in capitals, in small letters, as a number, as it was given, or nobody knows.
Spelling = Literal["upper", "lower", "number", "given", "any"]
HASHED: Final[frozenset[What]] = frozenset({"phone", "name"})


@dataclass(frozen=True, slots=True)
class Term:
    """One column that rows are found by. `what` is the word for it where a hit says why it was found."""

    column: str
    what: What
    spelling: Spelling = "given"

    @property
    def is_hashed(self) -> bool:
        return self.what in HASHED


@dataclass(frozen=True, slots=True)
class Searched:
    """How the rows of a table are found. `saga` is the column that names the saga they belong to, which is then what is
    found; a table without one is found for itself, and a row without a saga too: as a thing called `kind`.

    `prefix` is what the ids in `key` begin with, before the underscore; None for a saga's rows, whose kind says it.
    `at` is the column of its time.
    """

    by: tuple[Term, ...] = ()
    saga: str | None = "workflow_id"
    kind: str = "payment"
    prefix: str | None = None
    key: str = "id"
    at: str = "created_at"

    def also_by(self, *more: Term) -> "Searched":
        return Searched((*self.by, *more), self.saga, self.kind, self.prefix, self.key, self.at)

    @property
    def plain(self) -> tuple[Term, ...]:
        """What is looked up in its own column."""
        return tuple(term for term in self.by if not term.is_hashed)

    @property
    def hashed(self) -> tuple[Term, ...]:
        return tuple(term for term in self.by if term.is_hashed)


def found_by(table: str, column: str, *then: str) -> Index:
    """The index by which rows are found by one column: of everybody's or, as precisely, of one partner's. `then` is for
    what many rows share, so that the newest of them are at hand."""
    return Index(
        f"ix_{table}_by_{column}", column, "partner_id", *then, postgresql_where=text(f"{column} IS NOT NULL")
    )  # fmt: skip
