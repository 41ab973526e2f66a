"""What rows are found by is said beside their columns, and is true: an index begins with each, and hashes are written with
the row. No list of families stands anywhere."""

import re

import pytest
from sqlalchemy.schema import ColumnCollectionConstraint
from sqlmodel import SQLModel

from models.kinds import KINDS
from models.tables.base import table_of
from store.saga.search_plain import tables
from store.saga.search_terms import searched
from tests.architecture import house

every_table = pytest.mark.parametrize("model", [pytest.param(model, id=table_of(model).name) for model in tables()])
_INSERTS = re.compile(r"\binsert\(\s*(?:table_of\((\w+)\)|(\w+))")


def inserted_without_terms(source: str, names: set[str]) -> list[str]:
    """Rows of these classes that a module inserts without ever writing what they are found by."""
    aliases = dict(re.findall(r"^(\w+)(?:: Final)? = table_of\((\w+)\)", source, re.MULTILINE))
    rows = {aliases.get(alias, cls or alias) for cls, alias in _INSERTS.findall(source)}
    return [] if "search_terms.write(" in source else sorted(rows & names)


def test_every_kind_of_saga_is_found() -> None:
    assert {kind.row_class for kind in KINDS} <= set(tables())


@every_table
def test_what_a_table_is_found_by_is_there_and_an_index_begins_with_it(model: type[SQLModel]) -> None:
    how, table = searched(model), table_of(model)
    columns = {term.column for term in how.by} | {how.key, how.at, "partner_id"} | ({how.saga} - {None})
    assert columns <= set(table.c.keys())
    first = {index.expressions[0].name for index in table.indexes}  # type: ignore[union-attr]
    constraints = [one for one in table.constraints if isinstance(one, ColumnCollectionConstraint) and len(one.columns)]
    first |= {next(iter(one.columns)).name for one in constraints}
    assert {term.column for term in how.plain} | {how.key} <= first


@every_table
def test_a_persons_phone_or_name_is_found_by_its_hash_alone(model: type[SQLModel]) -> None:
    plain = {term.column for term in searched(model).plain}
    assert [name for name in plain if re.search("phone|msisdn|name|email", name)] == []
    assert plain.isdisjoint(getattr(model, "personal", ()))


def test_whoever_inserts_a_row_writes_what_it_is_found_by() -> None:
    hashed = {model.__name__ for model in tables() if searched(model).hashed}
    found = {
        str(path.relative_to(house.ROOT)): rows
        for path in house.sources(*house.packages())
        if path.parts[-2] != "benchmarks" and (rows := inserted_without_terms(path.read_text(encoding="utf-8"), hashed))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "_C = table_of(Collection)\nx = insert(_C).values(row)",
        "_C: Final = table_of(Collection)\nx = insert(_C)",
        "insert(table_of(Collection)).values(row)",
        "insert(Collection)",
    ],
)
def test_the_search_for_inserts_finds_them(source: str) -> None:
    assert inserted_without_terms(source, {"Collection"}) == ["Collection"]


def test_what_serves_an_installation_hashes_with_its_own_keys() -> None:
    """`Database(url)` hashes by the key of the local stack; whoever serves payments takes `Database.of(settings)`."""
    made = {
        str(path.relative_to(house.ROOT))
        for path in house.sources("activities", "api", "cli", "inbound", "workers", "temporal")
        if re.search(r"\b(Database|Connections)\(\s*(?!\))[\w.]*(url|settings)", path.read_text(encoding="utf-8"))
    }
    assert made == set()
