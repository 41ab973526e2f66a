"""`kivuko reconcile`: asks, waits for its own run, and says by its exit code whether all agree."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import HOSTILE, assert_harmless, example_of

ROW = example_of("/api/v1/reconciliations/{reconciliation_id}")
ASKED = {"partner_id": ROW["partner_id"], "date": ROW["date"], "run": 2, "workflow_id": "x"}


def told(**values: Any) -> dict[str, Any]:
    return {**ROW, "runs": 2, **values}


def answers(answering: Answering, found: dict[str, Any]) -> None:
    answering.will(202, ASKED)
    answering.will(200, {"items": [{**found, "runs": 1}], "next_cursor": None})  # the run before
    answering.will(200, {"items": [found], "next_cursor": None})
    answering.will(200, found)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (told(differences=[]), 0),
        (told(differences=[{**ROW["differences"][0], "state": "gone"}]), 0),
        (told(), 1),
        (told(differences=[], state="partly"), 1),
    ],
)
def test_it_fails_where_anything_differs_or_was_not_checked(
    run: Run, answering: Answering, found: dict[str, Any], code: int
) -> None:
    answers(answering, found)
    done = run("reconcile", "--date", "2026-11-21")
    assert done.exit_code == code, done.output
    assert answering.asked[0][:3] == ("POST", "/api/v1/reconciliations", {"date": "2026-11-21"})
    assert ("booking_missing" in done.stdout) == (code == 1 and found["state"] == "done")


def test_programs_get_it_whole_and_terminals_obey_nobody(run: Run, answering: Answering) -> None:
    found = told(differences=[{**ROW["differences"][0], "summary": HOSTILE, "kind": HOSTILE}])
    answers(answering, found)
    assert json.loads(run("reconcile", "--json").stdout)["differences"] == found["differences"]
    answers(answering, found)
    assert_harmless(run("reconcile").stdout)


def test_one_that_runs_for_too_long_is_told(run: Run, answering: Answering) -> None:
    answering.will(202, ASKED)
    answering.will(200, {"items": [], "next_cursor": None})
    done = run("reconcile", "--wait", "0")
    assert done.exit_code == 1
    assert "still runs" in done.output
