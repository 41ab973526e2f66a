"""A saga is one entry in `models/kinds.py` and its leaf in every role: nothing else lists the kinds."""

import re
from importlib import import_module

import pytest

from models import kinds, providers
from models.kinds import KINDS, SagaKind
from models.tables.saga.saga_row import MoneyInRow, SagaRow
from tests.architecture import house

# A file that names so many kinds is a list of them; one saga may well speak of another.
A_LIST = 3

# Path → why the kinds may be listed there. An entry that is no longer needed fails below.
LISTS_ALLOWED = {
    "models/kinds.py": "the list itself",
}

# Where a kind's part is in each role, whatever the kind.
PARTS = (
    "workflows/{family}/{leaf}.py", "activities/{family}/{leaf}.py", "api/{family}/{leaf}.py",
    "api/{family}/{leaf}_schemas.py", "store/{family}/{leaf}.py", "models/messages/{family}/{leaf}.py",
    "models/tables/{family}/{leaf}.py", "cli/commands/{leaf}.py", "cli/demo/{leaf}.py",
    "docs/flows/{family}/{page}.md", "tests/flows/{family}/test_{leaf}*.py", "tests/api/{family}/test_{leaf}*.py",
)  # fmt: skip

every_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])


def kinds_named(text: str) -> set[str]:
    """The kinds that a text names: by what their workflow ids begin with, by workflow type or by leaf."""
    return {
        kind.name
        for kind in KINDS
        if re.search(rf"(?<![\w-])({'|'.join(map(re.escape, (kind.name, kind.workflow, kind.leaf)))})(?![\w-])", text)
    }


def lists_of_kinds() -> dict[str, list[str]]:
    found = {path: kinds_named(path.read_text(encoding="utf-8")) for path in house.sources(*house.packages())}
    return {
        path.relative_to(house.ROOT).as_posix(): sorted(named) for path, named in found.items() if len(named) >= A_LIST
    }


@every_kind
def test_a_kind_has_its_leaf_in_every_role(kind: SagaKind) -> None:
    wanted = [part.format(family=kind.family, leaf=kind.leaf, page=kind.leaf.replace("_", "-")) for part in PARTS]
    assert [path for path in wanted if not list(house.ROOT.glob(path))] == []


@every_kind
def test_a_kinds_workflow_type_is_defined_in_its_workflow_file(kind: SagaKind) -> None:
    source = (house.ROOT / f"{kind.module('workflows').replace('.', '/')}.py").read_text(encoding="utf-8")
    assert f'@workflow.defn(name="{kind.workflow}")' in source


@every_kind
def test_a_kinds_rows_say_all_that_its_start_needs(kind: SagaKind) -> None:
    assert issubclass(kind.row_class, SagaRow)
    assert kind.row_class.__module__ == kind.module("models.tables")
    columns = kind.row_class.model_fields
    assert {"policy", "currency"} <= set(columns)
    # What comes in is claimed by the row that names it, and its payer's number is erased there in time.
    assert issubclass(kind.row_class, MoneyInRow) == kind.takes_money
    assert ({"incoming_id", "msisdn"} <= set(columns)) == kind.takes_money
    if kind.takes_money:
        unsaid = [name for name, said in vars(MoneyInRow).items() if isinstance(said, property)]
        assert [name for name in unsaid if getattr(kind.row_class, name) is getattr(MoneyInRow, name)] == []
    assert ("msisdn" in kind.row_class.personal) == kind.takes_money
    assert set(kind.row_class.personal) <= set(columns)


@every_kind
def test_a_kinds_rails_are_there_and_its_store_takes_what_they_announce(kind: SagaKind) -> None:
    assert kind.rail in {rail.name for rail in providers.RAILS}
    assert set(kind.providers) <= {provider.name for provider in providers.PROVIDERS}
    assert set(kind.arrives_by) <= set(kind.providers)
    offered = vars(import_module(kind.module("store")))
    assert {"request", "KIND"} <= set(offered)
    assert {"waiting_for", "of_incoming", "prompt_policy"} <= set(offered) or not kind.arrives_by


def test_a_kind_is_found_by_whatever_names_it() -> None:
    for kind in KINDS:
        assert kinds.named(kind.name) is kind
        assert kinds.of_workflow(kind.workflow_id("prt_1/91")) is kind
        assert kinds.of_id(f"{kind.id_prefix}_01ktv") is kind
        assert kinds.of_row(kind.row_class.model_construct()) is kind
    assert kinds.of_workflow("loan-watch/prt_1") is None
    assert kinds.of_id("prt_01ktv") is None


def test_no_two_kinds_share_a_name() -> None:
    for name in ("name", "workflow", "leaf", "row", "id_prefix", "resource", "word"):
        assert len({getattr(kind, name) for kind in KINDS}) == len(KINDS), name


def test_no_row_of_a_saga_is_left_out() -> None:
    rows = {*SagaRow.__subclasses__(), *MoneyInRow.__subclasses__()} - {MoneyInRow}
    assert rows == {kind.row_class for kind in KINDS}


def test_the_kinds_are_listed_once() -> None:
    assert set(lists_of_kinds()) - set(LISTS_ALLOWED) == set()


def test_every_allowed_list_is_still_there_and_has_a_reason() -> None:
    assert [path for path, why in LISTS_ALLOWED.items() if path not in lists_of_kinds() or not why] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('TABLES = {"loan-disbursement": x, "wallet-top-up": y}', {"loan-disbursement", "wallet-top-up"}),
        ("from workflows.lending.float_purchase import FloatPurchase", {"float-purchase"}),
        ("f'customer-collection/{row_id}'", {"customer-collection"}),
        ("float_purchases, FloatPurchases, /float-purchases, loan_disbursement_schemas", set()),
    ],
)
def test_the_search_for_kinds_finds_names_and_no_others(text: str, found: set[str]) -> None:
    assert kinds_named(text) == found
