"""`kivuko approvals` answers for what was shown, and shows what a stranger wrote without letting it steer the terminal."""

import json
from typing import Any

from rich.cells import cell_len

from tests.cli.conftest import Answering, Run
from tests.cli.test_terminal import DOCUMENT, HOSTILE, LONG, assert_harmless, filled

EXAMPLE: dict[str, Any] = DOCUMENT["components"]["schemas"]["ApprovalOut"]["examples"][0]
AMOUNT = {"amount": "5000.00", "currency": "KES"}
ID = EXAMPLE["id"]


def test_the_list_is_of_open_ones_or_of_mine(run: Run, answering: Answering) -> None:
    for args, query in (([], "state=open"), (["--mine"], "mine=true"), (["--state", "stale"], "state=stale")):
        answering.will(200, {"items": [{**EXAMPLE, "amount": AMOUNT}], "next_cursor": None})
        shown = run("approvals", "list", *args, env={"COLUMNS": "300"}).stdout
        assert query in answering.asked[-1][1]
        assert "KES 5000.00" in shown
        assert "contacts.authorise" in shown
    answering.will(200, {"items": [], "next_cursor": None})
    run("approvals", "list", "--state", "all")
    assert "state" not in answering.asked[-1][1]


def test_an_approval_is_of_the_version_that_was_read_right_before(run: Run, answering: Answering) -> None:
    answering.will(200, {**EXAMPLE, "version": "0" * 32})
    answering.will(200, {**EXAMPLE, "state": "approved"})
    shown = run("approvals", "approve", ID, "--note", "seen on the statement").stdout
    method, path, body, _ = answering.asked[1]
    assert (method, path) == ("POST", f"/api/v1/approvals/{ID}/approve")
    assert body == {"note": "seen on the statement", "version": "0" * 32, "as_person": None}
    assert "approved" in shown


def test_a_rejection_needs_its_reason(run: Run, answering: Answering) -> None:
    assert run("approvals", "reject", ID).exit_code == 2
    assert answering.asked == []
    answering.will(200, {**EXAMPLE, "state": "rejected"})
    done = run("approvals", "reject", ID, "--reason", "nobody knows her", "--as", "psn_1", "--json")
    assert json.loads(done.stdout)["state"] == "rejected"
    assert answering.asked[0][2] == {"reason": "nobody knows her", "as_person": "psn_1"}


def test_a_code_says_where_it_is_typed(run: Run, answering: Answering) -> None:
    answering.will(
        200, {"request_id": ID, "workflow_id": "w", "code": "7KQ2M-9XT4C", "expires_at": "2026-11-28T06:14:03Z"}
    )
    shown = run("approvals", "code", ID).stdout
    assert "7KQ2M-9XT4C" in shown
    assert '"decision": "approve"' in shown


def test_what_strangers_wrote_fits_and_steers_no_terminal(run: Run, answering: Answering, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for text in (HOSTILE, LONG):
        answering.will(200, {"items": [{**filled(EXAMPLE, text), "amount": None}], "next_cursor": None})
        shown = run("approvals", "list").stdout
        assert_harmless(shown)
        assert max(cell_len(line) for line in shown.splitlines()) <= 80, shown
