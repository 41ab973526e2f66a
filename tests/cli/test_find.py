"""`kivuko find` shows what was found, and `kivuko db fill-search` says how far it came."""

import json
from typing import Any

from rich.cells import cell_len

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import DOCUMENT, HOSTILE, LONG, assert_harmless, filled

EXAMPLE: dict[str, Any] = DOCUMENT["components"]["schemas"]["SearchOut"]["examples"][0]


def test_several_words_are_one_text_that_is_sent_in_the_body(run: Run, answering: Answering) -> None:
    answering.will(200, EXAMPLE)
    shown = run("find", "0712", "345", "678").stdout
    method, path, body, _ = answering.asked[0]
    assert (method, path, body) == ("POST", "/api/v1/search", {"q": "0712 345 678", "partner_id": None})
    assert "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0" in shown
    assert "completed" in shown


def test_nothing_and_more_than_is_shown_are_said(run: Run, answering: Answering) -> None:
    answering.will(200, {"groups": [], "count": 0, "more": False})
    assert "Nothing that you may see" in run("find", "x").stdout
    answering.will(200, {**EXAMPLE, "more": True})
    assert "There are more" in run("find", "x").stdout
    answering.will(200, EXAMPLE)
    assert json.loads(run("find", "x", "--json").stdout) == EXAMPLE


def test_what_strangers_wrote_fits_and_steers_no_terminal(run: Run, answering: Answering, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for text in (HOSTILE, LONG):
        (group,) = EXAMPLE["groups"]
        hit = {**filled(group["hits"][0], text), "exact": False}
        answering.will(200, {**EXAMPLE, "groups": [{**group, "hits": [hit]}]})
        shown = run("find", "x").stdout
        assert_harmless(shown)
        assert max(cell_len(line) for line in shown.splitlines()) <= 80, shown


def test_filling_tells_each_table_and_needs_nothing_a_second_time(run: Run, database_url: str) -> None:
    for _ in range(2):
        done = run("db", "fill-search", "--json", env={"KIVUKO_DATABASE__URL": database_url})
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert {"incoming_payments", "payout_attempts", "prompts", "disbursements"} <= set(told["rows"])
        assert (sum(told["rows"].values()), told["pruned"]) == (0, 0)
