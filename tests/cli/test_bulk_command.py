"""`kivuko bulk`: chooses by ids or by options, waits for the end, and says by its exit code whether every one took it."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import HOSTILE, assert_harmless, example_of

ROW = example_of("/api/v1/bulk-actions/{bulk_id}")
ITEM = example_of("/api/v1/bulk-actions/{bulk_id}/items")
SAGA = ITEM["id"]


def ends(answering: Answering, *items: dict[str, Any], **counts: int) -> None:
    """It is taken, seen under way once, then ended, with these items."""
    ended = {**ROW, "counts": {**ROW["counts"], **counts}}
    running = {**ended, "state": "running", "ended_at": None, "counts": {**ended["counts"], "waiting": 1}}
    for status, body in ((202, running), (200, running), (200, ended)):
        answering.will(status, body)
    answering.will(200, {"items": list(items), "next_cursor": None})


@pytest.mark.parametrize(("taken", "code"), [(2, 0), (1, 1)])
def test_ids_say_their_kind_and_the_end_is_waited_for(run: Run, answering: Answering, taken: int, code: int) -> None:
    ends(answering, ITEM, taken=taken)
    done = run("bulk", "retry", SAGA, SAGA, "--reason", "M-Pesa answers again")
    assert done.exit_code == code, done.output
    assert answering.asked[0][:3] == (
        "POST", "/api/v1/bulk-actions",
        {"kind": "disbursements", "command": "retry", "reason": "M-Pesa answers again", "dry_run": False,
         "ids": [SAGA, SAGA]},
    )  # fmt: skip
    assert "Idempotency-Key" in answering.asked[0][3]
    assert "cannot be cancelled" in done.stdout
    assert "1 of 2" in done.stdout


def test_options_choose_as_the_lists_do(run: Run, answering: Answering) -> None:
    ends(answering, taken=2)
    done = run("bulk", "cancel", "--kind", "top-ups", "--status", "pending", "--reason", "asked for", "--json")
    assert done.exit_code == 0, done.output
    assert answering.asked[0][2]["filters"] == {"status": "pending"}
    assert answering.asked[0][2]["kind"] == "top-ups"
    assert json.loads(done.stdout)["id"] == ROW["id"]


def test_a_dry_run_is_one_question(run: Run, answering: Answering) -> None:
    foreseen = {"id": SAGA, "outcome": "would_refuse", "stage": "paying", "detail": "Money may have moved already."}
    told = {"total": 1, "would_take": 0, "would_refuse": 1, "not_known": 0, "items": [foreseen]}
    answering.will(200, told)
    done = run("bulk", "cancel", SAGA, "--reason", "asked for", "--dry-run")
    assert done.exit_code == 0, done.output
    assert answering.asked[0][2]["dry_run"] is True
    assert "1 would refuse" in done.stdout
    assert "Money may have moved" in done.stdout
    assert len(answering.asked) == 1


@pytest.mark.parametrize(
    "words", [[], [SAGA, "--stage", "in_review"], ["--stage", "in_review"], ["prt_01ktv0r5m8e9a7d3c2b4x6y8z0"]]
)
def test_what_chooses_nothing_or_twice_is_not_even_sent(run: Run, answering: Answering, words: list[str]) -> None:
    done = run("bulk", "retry", *words, "--reason", "asked for")
    assert done.exit_code != 0
    assert answering.asked == []


def test_one_that_runs_for_too_long_is_told(run: Run, answering: Answering) -> None:
    running = {**ROW, "state": "running", "ended_at": None}
    answering.will(202, running)
    answering.will(200, running)
    done = run("bulk", "retry", SAGA, "--reason", "asked for", "--wait", "0")
    assert done.exit_code == 1
    assert "still runs" in done.output


def test_terminals_obey_nobody(run: Run, answering: Answering) -> None:
    answering.will(200, {**ROW, "reason": HOSTILE})
    answering.will(200, {"items": [{**ITEM, "detail": HOSTILE}], "next_cursor": None})
    assert_harmless(run("bulk", "show", ROW["id"]).stdout)
    answering.will(200, {"items": [{**ROW, "reason": HOSTILE}], "next_cursor": None})
    assert_harmless(run("bulk", "list").stdout)


def test_stopping_says_how_far_it_came(run: Run, answering: Answering) -> None:
    answering.will(200, {**ROW, "state": "stopping"})
    done = run("bulk", "stop", ROW["id"])
    assert answering.asked[0][:2] == ("POST", f"/api/v1/bulk-actions/{ROW['id']}/stop")
    assert "stopping" in done.stdout
