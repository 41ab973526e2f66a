"""`kivuko attention` shows what needs attention, in a terminal that nobody steers."""

import json
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import HOSTILE, LONG, assert_harmless, example_of, filled

PATH = "/api/v1/attention"


def test_what_is_asked_for_is_sent_and_what_matters_is_shown(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    row = example_of(PATH)
    answering.will(200, {"items": [row], "next_cursor": "1.a"})
    shown = run(
        "attention", "--problem", "posting", "--problem", "message", "--owner", "nobody", "--minutes", "5"
    ).stdout
    asked = "problem=posting&problem=message&owner=nobody&minutes=5&limit=50"
    assert answering.asked[0][1] == f"{PATH}?{asked}"
    for words in (row["saga"]["id"], "posting", "KES 12,500.00", "with client", "Jane Wanjiku", "try 12", "30 min",
                  "It is booked again.", "There are more"):  # fmt: skip
        assert words in " ".join(shown.split()), words


def test_nothing_is_said_to_be_nothing_and_machines_get_json(run: Run, answering: Answering) -> None:
    answering.will(200, {"items": [], "next_cursor": None})
    assert "nothing needs attention" in run("attention").stdout
    answering.will(200, {"items": [example_of(PATH)], "next_cursor": None})
    assert json.loads(run("attention", "--json").stdout) == [example_of(PATH)]


@pytest.mark.parametrize("text", [HOSTILE, LONG])
def test_it_fits_and_steers_no_terminal(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row: dict[str, Any] = {**filled(example_of(PATH), text), "case_id": None, "next_at": None}
    answering.will(200, {"items": [row], "next_cursor": None})
    done = run("attention")
    assert done.exit_code == 0, done.output
    assert_harmless(done.stdout)
    assert max(cell_len(line) for line in done.stdout.splitlines()) <= 80, done.stdout
    assert row["saga"]["id"] in done.stdout
