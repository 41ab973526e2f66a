"""`kivuko monitor` shows how things go on one screen, and fails in an outage."""

import json

import pytest
from rich.cells import cell_len

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import HOSTILE, LONG, assert_harmless, example_of, filled

PATH = "/api/v1/monitoring"


def test_what_matters_is_shown_and_an_outage_fails(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    answering.will(200, example_of(PATH))
    done = run("monitor", "--partner", "prt_1")
    assert answering.asked[0][1] == f"{PATH}?partner_id=prt_1"
    assert done.exit_code == 1
    for words in ("daraja does not answer everybody: 9 calls in a row failed", "2 posting", "98.3%", "kivuko-mpesa", "sweep",
                  "Jaza Sacco is short by KES 12,500.00 for 3 payments"):  # fmt: skip
        assert words in done.stdout, words


def test_a_quiet_day_succeeds_and_machines_get_json(run: Run, answering: Answering) -> None:
    quiet = {**example_of(PATH), "outages": [], "short": [], "problems": {}}
    answering.will(200, quiet)
    assert run("monitor").exit_code == 0
    answering.will(200, quiet)
    assert json.loads(run("monitor", "--json").stdout) == quiet


@pytest.mark.parametrize("text", [HOSTILE, LONG])
def test_it_fits_and_steers_no_terminal(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    answering.will(200, {**filled(example_of(PATH), text), "oldest_unknown": None})
    shown = run("monitor").stdout
    assert_harmless(shown)
    assert max(cell_len(line) for line in shown.splitlines()) <= 80, shown
