"""The half of the search that asks columns: ids, receipts, references, account numbers, each by the index that begins with
it. One statement asks all tables at once. Which one it is follows from the text and from the key alone, never from what is
stored."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from core.search_words import Wanted
from models import kinds
from models.tables import registry
from models.tables.base import table_of
from models.tables.platform.partner import Partner
from models.tables.saga.saga_row import SagaRow
from models.tables.searched import Searched, Term
from store.saga.search_terms import searched

_TEXT: Final = {name: bindparam(name, type_=Text) for name in ("text", "upper", "lower", "low", "high", "partner")}
_PARTNERS: Final = table_of(Partner)
_NUMBER: Final = bindparam("number", type_=BigInteger)
_WHOLE: Final = bindparam("whole", type_=Boolean)
_KINDS: Final = bindparam("kinds", type_=ARRAY(Text))
_LIMIT: Final = bindparam("limit", type_=Integer)


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be found: of one partner or (None) of all, and of which kinds of sagas. `loose`: also what belongs to no
    saga; `lenders`: also partners themselves."""

    partner_id: str | None
    kinds: frozenset[str]
    loose: bool
    lenders: bool


@dataclass(frozen=True, slots=True)
class _Shape:
    """What of a search decides which statement it is."""

    spelt_in_ways: bool
    number: bool
    prefix: str | None
    of_one: bool
    loose: bool
    lenders: bool


async def rows(session: AsyncSession, wanted: Wanted, scope: Scope, limit: int) -> list[Any]:
    """`kind`, `id`, `saga`, `partner_id`, `at`, `exact` and `why` of each row that has the text in one of its columns; the
    newest of each column, at most `limit`."""
    low, high = wanted.ids or (None, None)
    given = {
        "text": wanted.text, "upper": wanted.text.upper(), "lower": wanted.text.lower(), "number": wanted.number,
        "low": low, "high": high, "whole": wanted.is_whole_id, "partner": scope.partner_id,
        "kinds": sorted(scope.kinds), "limit": limit,
    }  # fmt: skip
    shape = _Shape(
        spelt_in_ways=len(wanted.spellings) > 1,
        number=wanted.number is not None,
        prefix=wanted.prefix if wanted.ids else None,
        of_one=scope.partner_id is not None,
        loose=scope.loose,
        lenders=scope.lenders,
    )
    return list(await (await session.connection()).execute(_statement(shape), given))


@cache
def tables() -> tuple[type[SQLModel], ...]:
    """Every table that says what it is found by."""
    assert registry.metadata is not None  # every file of tables is loaded
    return tuple(sorted(_that_say_so(SQLModel), key=lambda model: table_of(model).name))


def _that_say_so(model: type[SQLModel]) -> Iterator[type[SQLModel]]:
    for inner in model.__subclasses__():
        if hasattr(inner, "__table__") and hasattr(inner, "search"):
            yield inner
        yield from _that_say_so(inner)


def key_of(table: Table) -> ColumnElement[str]:
    """The one column by which a row is named."""
    (key,) = table.primary_key.columns
    return key


def saga_of(table: Table, how: Searched) -> ColumnElement[str]:
    return table.c[how.saga] if how.saga else cast(null(), Text)


def may_be_seen(table: Table, how: Searched, *, of_one: bool, loose: bool) -> list[ColumnElement[bool]]:
    """That a row is the partner's (`:partner`), and of a kind that may be seen (`:kinds`), or of none."""
    seen = [table.c.partner_id == _TEXT["partner"]] if of_one else []
    if how.saga is None:
        return seen if loose else [*seen, ~true()]
    saga = table.c[how.saga]
    of_kind = func.split_part(saga, "/", 1) == any_(_KINDS)
    return [*seen, (of_kind | saga.is_(None)) if loose else of_kind]


@cache
def _statement(shape: _Shape) -> Any:
    parts = [part for model in tables() for part in _parts(model, shape)]
    return union_all(*parts, *([_lenders(shape)] if shape.lenders else []))


def _lenders(shape: _Shape) -> Select[Any]:
    """By id or name; there are few partners, so that their names are read through."""
    lower = _TEXT["lower"]
    is_id, is_name = _PARTNERS.c.id == lower, func.lower(_PARTNERS.c.name) == lower
    found = select(
        literal("lender").label("kind"), _PARTNERS.c.id, cast(null(), Text).label("saga"),
        _PARTNERS.c.id.label("partner_id"), _PARTNERS.c.created_at.label("at"), (is_id | is_name).label("exact"),
        case((is_id, "id"), else_="name").label("why"),
    ).where(is_id | (func.strpos(func.lower(_PARTNERS.c.name), lower) > 0))  # fmt: skip
    if shape.of_one:
        found = found.where(_PARTNERS.c.id == _TEXT["partner"])
    exact_first = found.order_by((is_id | is_name).desc(), _PARTNERS.c.id.desc()).limit(_LIMIT).subquery()
    return select(exact_first)


def _parts(model: type[SQLModel], shape: _Shape) -> Iterator[Any]:
    how, table = searched(model), table_of(model)
    for term in how.plain:
        for given in _given(term, shape):
            yield _part(table, how, shape, table.c[term.column] == given, term.what)
    if issubclass(model, SagaRow):
        yield _part(table, how, shape, table.c.workflow_id == _TEXT["text"], "id")
    if shape.prefix is not None and shape.prefix == (how.prefix or _prefix_of(model)):
        within = table.c[how.key].between(_TEXT["low"], _TEXT["high"])
        yield _part(table, how, shape, within, "id", exact=_WHOLE)


def _prefix_of(model: type[SQLModel]) -> str | None:
    return next((kind.id_prefix for kind in kinds.KINDS if kind.row_class is model), None)


def _given(term: Term, shape: _Shape) -> Iterator[ColumnElement[Any]]:
    """What a column is compared with."""
    if term.spelling == "number":
        if shape.number:
            yield _NUMBER
    elif term.spelling in ("upper", "lower"):
        yield _TEXT[term.spelling]
    else:
        yield _TEXT["text"]
        if term.spelling == "any" and shape.spelt_in_ways:  # two of the three may be the same; twice found is once
            yield from (_TEXT["upper"], _TEXT["lower"])


def _part(
    table: Table,
    how: Searched,
    shape: _Shape,
    condition: ColumnElement[bool],
    why: str,
    *,
    exact: ColumnElement[bool] = true(),
) -> Select[Any]:
    key = key_of(table)
    found = select(
        literal(how.kind).label("kind"), cast(key, Text).label("id"), saga_of(table, how).label("saga"),
        table.c.partner_id, table.c[how.at].label("at"), cast(exact, Boolean).label("exact"), literal(why).label("why"),
    )  # fmt: skip
    seen = may_be_seen(table, how, of_one=shape.of_one, loose=shape.loose)
    newest = found.where(condition, *seen).order_by(key.desc()).limit(_LIMIT).subquery()
    return select(newest)
