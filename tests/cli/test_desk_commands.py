"""The desk and the tariffs on the command line: what is sent, in which parts, and what people read."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli.files import PART
from tests.cli.conftest import Answering, Run

CASE = "cas_01ktv0r5m8e9a7d3c2b4x6y8z0"
SAGA = {"kind": "loan-disbursement", "id": "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", "stage": "in_review", "ended": False,
        "href": "/api/v1/disbursements/dsb_01ktv0r5m8e9a7d3c2b4x6y8z0"}  # fmt: skip


def case(**more: Any) -> dict[str, Any]:
    return {
        "id": CASE, "kind": "payout_unknown", "means": "The provider has not said.", "state": "open", "owner": None,
        "partner_id": "prt_1", "workflow_id": "loan-disbursement/prt_1/91", "summary": "Silence [of M-Pesa].",
        "evidence": {"reference": "pay_1-a1"}, "amount": "KES 12,500.00", "phone": "+2547•••••678", "account": None,
        "receipt": None, "reference": "pay_1-a1", "actions": ["paid", "not_paid", "retry"],
        "opened_at": "2026-11-21T06:14:03Z", "closed_at": None, "closed_by": None, "resolution": None, **more,
    }  # fmt: skip


def result(line: int, said: str, **more: Any) -> dict[str, Any]:
    return {"line": line, "reference": f"AG_{line}", "result": said, "detail": None, "saga": SAGA, **more}


def test_the_list_says_what_may_be_done_about_each(run: Run, answering: Answering) -> None:
    answering.will(200, {"items": [case(), case(kind="books_do_not_balance", actions=[])], "next_cursor": None})
    shown = run("cases", "list", "--kind", "payout_unknown", "--owner", "nobody").stdout
    assert answering.asked[0][1] == "/api/v1/cases?state=open&kind=payout_unknown&owner=nobody&limit=50"
    assert "paid, not_paid, retry" in shown
    assert "close" in shown


def test_one_case_is_shown_with_evidence_timeline_and_the_way_on(run: Run, answering: Answering) -> None:
    line = {"key": "k", "at": "2026-11-21T06:14:03.5Z", "tone": "bad", "text": "Nobody knows [yet].", "facts": {}}
    now = {"waiting_for": "a report, or an operator's decision"}
    answering.will(200, case(saga=SAGA, now=now, events=[line]))
    shown = run("cases", "show", CASE).stdout
    assert answering.asked[0][1] == f"/api/v1/cases/{CASE}"
    for words in ("Silence [of M-Pesa].", "The provider has not said.", "pay_1-a1", "Nobody knows [yet].",
                  "a report, or an operator's decision", f"kivuko cases act {CASE} paid"):  # fmt: skip
        assert words in shown, words
    answering.will(200, case(saga=None, now=None, events=[], actions=[]))
    assert f"kivuko cases close {CASE} --reason" in run("cases", "show", CASE).stdout


def test_an_act_is_sent_with_its_facts_alone(run: Run, answering: Answering) -> None:
    answering.will(200, {"case_id": CASE, "stage": "in_review", "at": "2026-11-21T06:14:05Z"})
    done = run("cases", "act", CASE, "paid", "--evidence", "portal, line 14", "--receipt", "UKL4X7QW2D")
    assert done.exit_code == 0, done.output
    assert answering.asked[0][:3] == (
        "POST", f"/api/v1/cases/{CASE}/act", {"action": "paid", "evidence": "portal, line 14", "receipt": "UKL4X7QW2D"},
    )  # fmt: skip
    answering.will(200, {"case_id": CASE, "stage": "waiting_account", "at": "2026-11-21T06:14:05Z"})
    run("cases", "act", CASE, "allocate", "--evidence", "he called", "--to", "loan:000000091:1000.00:KES")
    assert answering.asked[1][2]["allocations"] == [
        {"kind": "loan", "account": "000000091", "amount": {"amount": "1000.00", "currency": "KES"}}
    ]


def test_an_account_that_is_misspelt_is_not_sent(run: Run, answering: Answering) -> None:
    failed = run("cases", "act", CASE, "allocate", "--evidence", "he called", "--to", "000000091=1000")
    assert "is not kind:account:amount:currency" in failed.stderr
    assert answering.asked == []


@pytest.mark.parametrize(("words", "path"), [(("take",), "take"), (("give-back",), "give-back")])
def test_a_case_is_taken_and_given_back(run: Run, answering: Answering, words: tuple[str, ...], path: str) -> None:
    answering.will(200, case(owner="key_1"))
    assert run("cases", *words, CASE).exit_code == 0
    assert answering.asked[0][:2] == ("POST", f"/api/v1/cases/{CASE}/{path}")


# --------------------------------------------------------------------------------------------------- unknown outcomes


def test_what_has_no_answer_is_listed_and_written_into_a_file(run: Run, answering: Answering, tmp_path: Path) -> None:
    row = {"reference": "pay_1-a1", "provider_reference": "AG_1", "amount": {"amount": "1250.00", "currency": "KES"},
           "to": "+2547•••••678", "age_seconds": 5400, "saga": SAGA, "case_id": None}  # fmt: skip
    answering.will(200, {"items": [row], "next_cursor": None})
    shown = run("cases", "unknown", "--minutes", "10").stdout
    for words in ("pay_1-a1", "AG_1", "KES 1,250.00", "1 h 30 min", "in_review"):
        assert words in shown, words
    file = b'reference,to\r\npay_1-a1,"\'+2547\r\n678"\r\n'
    answering.will(200, file)
    assert "1 rows in out.csv" in run("cases", "unknown", "--csv", "out.csv").stdout
    assert answering.asked[1][1] == "/api/v1/unknown-outcomes/export?minutes=5"
    assert (tmp_path / "out.csv").read_bytes() == file


def test_a_long_file_is_asked_about_in_parts_and_told_by_its_own_lines(
    run: Run, answering: Answering, tmp_path: Path
) -> None:
    names = [f"AG_{number}" for number in range(PART + 2)]
    (tmp_path / "ids.csv").write_text("ConversationID\n\n" + "\n".join(names) + "\n")
    for part in (names[:PART], names[PART:]):
        answering.will(200, {"items": [result(place, "asked") for place, _ in enumerate(part, start=1)]})
    done = run("cases", "ask", "--csv", "ids.csv", "--json")
    assert done.exit_code == 0, done.output
    assert [asked[2]["references"] for asked in answering.asked] == [names[:PART], names[PART:]]
    assert len({asked[3]["Idempotency-Key"] for asked in answering.asked}) == 2
    assert [row["line"] for row in json.loads(done.stdout)] == list(range(3, PART + 5))


def test_what_could_not_be_asked_is_shown_and_is_a_failure(run: Run, answering: Answering) -> None:
    answering.will(200, {"items": [result(1, "asked"), result(2, "busy", detail="repeat it", saga=None)]})
    done = run("cases", "ask", "AG_1", "AG_2")
    assert done.exit_code == 1
    assert "repeat it" in done.stdout
    assert "1 of 2 asked" in done.stdout


def test_answers_before_a_failure_are_not_lost(run: Run, answering: Answering, tmp_path: Path) -> None:
    (tmp_path / "ids.csv").write_text("\n".join(f"AG_{number}" for number in range(PART + 1)))
    answering.will(200, {"items": [result(place, "asked") for place in range(1, PART + 1)]})
    answering.will(503, {"detail": "The database cannot be reached now.", "code": "database_unavailable"})
    done = run("cases", "ask", "--csv", "ids.csv")
    assert done.exit_code == 1
    assert f"{PART} of {PART + 1} asked" in done.stdout
    assert f"The database cannot be reached now. {PART} of {PART + 1} rows were answered" in done.stderr


def test_decisions_are_sent_as_they_were_written(run: Run, answering: Answering, tmp_path: Path) -> None:
    rows = [("AG_1", "paid", "UKL4X7QW2D", '- "portal", line 14'), ("AG_2", "not_paid", "", "=declined")]
    with (tmp_path / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("decision", "reference", "receipt", "evidence", "stage")])
        csv.writer(file).writerows((row[1], row[0], *row[2:], "in_review") for row in rows)
    answering.will(200, {"items": [result(2, "taken"), result(3, "refused", detail="It does not fit.")]})
    done = run("cases", "resolve", "--csv", "in.csv")
    assert done.exit_code == 1
    assert "1 of 2 taken" in done.stdout
    method, path, body, headers = answering.asked[0]
    assert (method, path, headers["Content-Type"]) == (
        "POST", "/api/v1/unknown-outcomes/resolve", "text/csv; charset=utf-8",
    )  # fmt: skip
    sent = list(csv.reader(io.StringIO(body, newline="")))
    assert sent == [["reference", "decision", "receipt", "evidence"], *map(list, rows)]


@pytest.mark.parametrize(
    ("words", "text", "complaint"),
    [
        (("ask",), "AG_1\nA B\n", "line 2: A reference is 3 to 100 visible characters"),
        (("resolve",), "reference,decision,receipt,evidence\nAG_1,paid,,seen\n", "line 2.receipt: “paid” needs"),
        (("resolve",), "reference,decision\n", "line 1.receipt: The column receipt is missing."),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_sent(
    run: Run, answering: Answering, tmp_path: Path, words: tuple[str, ...], text: str, complaint: str
) -> None:
    (tmp_path / "in.csv").write_text(text)
    failed = run("cases", *words, "--csv", "in.csv")
    assert failed.exit_code == 1
    assert "in.csv is not taken; nothing was sent." in failed.stderr
    assert complaint in failed.stderr
    assert answering.asked == []


def test_references_come_from_one_place(run: Run, answering: Answering) -> None:
    for words in ((), ("AG_1", "--csv", "in.csv")):
        assert "Give references, or a file of them" in run("cases", "ask", *words).stderr
    assert "nothing.csv cannot be read" in run("cases", "ask", "--csv", "nothing.csv").stderr
    assert answering.asked == []


# ------------------------------------------------------------------------------------------------------------- tariffs


def test_tariffs_are_listed_and_imported(run: Run, answering: Answering, tmp_path: Path) -> None:
    kes = {"amount": "20.00", "currency": "KES"}
    row = {"id": "7", "charge": "bank_transfer", "from_amount": kes, "to_amount": kes, "fee": kes,
           "valid_from": "2027-01-01T00:00:00+03:00", "partner_id": None}  # fmt: skip
    answering.will(200, {"items": [row], "next_cursor": None})
    shown = run("tariffs", "list", "--charge", "bank_transfer").stdout
    assert "KES 20.00" in shown
    assert "everyone" in shown
    (tmp_path / "t.csv").write_bytes("\ufeffcharge,currency\n".encode())
    answering.will(201, {"bands": 3})
    assert "3 bands added" in run("tariffs", "import", "--csv", "t.csv").stdout
    assert answering.asked[1][:3] == ("POST", "/api/v1/tariffs/import", "charge,currency\n")
    answering.will(200, {"bands": 0})
    assert "nothing was changed" in run("tariffs", "import", "--csv", "t.csv").stdout


def test_a_mistake_in_a_tariff_is_told_by_line_and_column(run: Run, answering: Answering, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x")
    error = {"field": "line 3.fee", "rule": "string_pattern_mismatch", "detail": "no amount"}
    answering.will(422, {"detail": "1 field breaks a rule.", "code": "validation_failed", "errors": [error]})
    assert "line 3.fee: no amount" in run("tariffs", "import", "--csv", "t.csv").stderr
    (tmp_path / "latin.csv").write_bytes(b"\xe9")
    assert "is not UTF-8" in run("tariffs", "import", "--csv", "latin.csv").stderr
