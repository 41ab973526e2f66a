"""Every kind of case that is opened anywhere is explained in one place, and nothing is explained that is never opened."""

import ast
from collections.abc import Iterator
from typing import get_args, get_type_hints

import pytest

from models.messages.saga.cases import DECISIONS, FACTS_OF, KINDS, RETRY, Action
from models.messages.saga.decisions import Resolution
from tests.architecture import house
from workflows.saga.attempts import LegNote

# Call → the argument that names the kind.
NAMES_A_KIND = {
    "open_case": "kind",
    "CaseToOpen": "kind",
    "NoteProgress": "open_case",
    "LegNote": "case",
    "CaseFound": "kind",
}
# Kinds that come from another of these calls, which is searched itself.
PASSED_ON = {"case.kind", "progress.open_case", "note.case", "found.kind"}


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
    literal, _ = get_args(get_type_hints(LegNote)["case"])
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


def test_a_case_lists_no_action_that_its_kind_does_not_have() -> None:
    """Wherever a kind and its actions stand together in the source."""
    seen = 0
    for path in house.sources("workflows", "activities", "temporal", "api"):
        for kind, actions in listed_actions(path.read_text(encoding="utf-8")):
            seen += 1
            assert set(actions) <= set(KINDS[kind].actions), (path.name, kind)
    assert seen >= 5


def listed_actions(source: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "CaseToOpen":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            kind, actions = given["kind"], given.get("actions")
            if isinstance(kind, ast.Constant) and isinstance(actions, ast.Tuple):
                yield str(kind.value), tuple(ast.literal_eval(actions))


def test_disbursements_list_actions_of_their_kinds() -> None:
    from activities.lending.loan_disbursement import _ACTIONS

    for kind, actions in _ACTIONS.items():
        assert actions
        assert set(actions) <= set(KINDS[kind].actions), kind


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("cases.open_case(session, kind='tea')", ["tea"]),
        ("CaseToOpen(kind='tea' if late else 'milk')", ["tea", "milk"]),
        ("NoteProgress(open_case='tea')", ["tea"]),
        ("LegNote(case='tea')", ["tea"]),
        ("open_case(kind=made_up())", ["<made_up()>"]),
    ],
)
def test_the_search_for_kinds_finds_every_spelling(source: str, found: list[str]) -> None:
    assert list(kinds_named(source)) == found


@pytest.mark.parametrize("source", ["open_case(kind=case.kind)", "LegNote(case=None)", "Progress(case='tea')", "'tea'"])
def test_the_search_for_kinds_leaves_others_alone(source: str) -> None:
    assert list(kinds_named(source)) == []
