"""Every kind of case that is opened anywhere is explained in one place, and nothing is explained that is never opened."""

import ast
from collections.abc import Iterator
from typing import get_args, get_type_hints

import pytest

from models.messages.saga.cases import DECISIONS, FACTS_OF, HEALING, KINDS, RETRY, Action
from models.messages.saga.decisions import Resolution
from tests.architecture import house
from workflows.saga.attempts import LegEvent

# Call → the argument that names the kind.
NAMES_A_KIND = {
    "open_case": "kind",
    "CaseToOpen": "kind",
    "LegEvent": "case",
    "CaseFound": "kind",
    "Difference": "kind",
}
# Kinds that come from another of these calls, which is searched itself.
PASSED_ON = {"case.kind", "event.case", "found.kind", "one.kind"}


def kinds_named(source: str) -> Iterator[str]:
    """The texts that name a kind, and for anything else its expression in <angles>."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for keyword in node.keywords:
            if keyword.arg == NAMES_A_KIND.get(called, ""):
                yield from _texts(keyword.value)


def _texts(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.Constant):
        yield from [value.value] if isinstance(value.value, str) else []
    elif (expression := ast.unparse(value)) not in PASSED_ON:
        yield f"<{expression}>"


def test_every_kind_that_is_opened_is_explained_and_no_other() -> None:
    found = {
        kind for path in house.sources(*house.packages()) for kind in kinds_named(path.read_text(encoding="utf-8"))
    }
    assert found == set(KINDS)


def test_a_leg_opens_no_other_kind() -> None:
    literal, _ = get_args(get_type_hints(LegEvent)["case"])
    assert set(get_args(literal)) <= set(KINDS)


def test_every_action_is_a_decision_or_retry() -> None:
    assert set(get_args(Action)) == {*DECISIONS, RETRY}
    assert set(DECISIONS) == set(get_args(Resolution.model_fields["decision"].annotation))
    for kind, said in KINDS.items():
        assert set(said.actions) <= set(get_args(Action)), kind
        assert said.means.endswith("."), kind


def test_what_a_decision_carries_are_fields_of_a_resolution() -> None:
    assert set(FACTS_OF) <= set(DECISIONS)
    assert set().union(*FACTS_OF.values()) <= set(Resolution.model_fields)


def test_what_heals_is_something_that_a_saga_waits_for() -> None:
    assert [kind for kind in HEALING if not KINDS[kind].actions] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("cases.open_case(session, kind='tea')", ["tea"]),
        ("CaseToOpen(kind='tea' if late else 'milk')", ["tea", "milk"]),
        ("LegEvent(case='tea')", ["tea"]),
        ("open_case(kind=made_up())", ["<made_up()>"]),
    ],
)
def test_the_search_for_kinds_finds_every_spelling(source: str, found: list[str]) -> None:
    assert list(kinds_named(source)) == found


@pytest.mark.parametrize(
    "source", ["open_case(kind=case.kind)", "LegEvent(case=None)", "TimelineEvent(case='tea')", "'tea'"]
)
def test_the_search_for_kinds_leaves_others_alone(source: str) -> None:
    assert list(kinds_named(source)) == []
