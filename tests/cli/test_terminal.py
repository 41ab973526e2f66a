"""What reaches a terminal: tables fit it, ids stay whole, and nothing that a stranger wrote steers it."""

import json
import re
from typing import Any

import pytest
from rich.cells import cell_len

from cli.commands.balances import Books, _show
from cli.errors import Failure, in_plain_words, show
from cli.output import cell, console, plain, table
from core.texts import is_unseen
from tests.cli.conftest import Answering, Run
from tests.support.openapi import document

DOCUMENT: dict[str, Any] = document()
CASE, PRT = "cas_01ktv0r5m8e9a7d3c2b4x6y8z0", "prt_01ktv0r5m8e9a7d3c2b4x6y8z0"
HOSTILE = "[red]Wanjiru[/red] \x1b[31m\x1b]0;owned\x07\x9b2J‮evil⁦​\r\n\x00{{7*7}}[/] \\[link=http://x]"
LONG = "Wanjiru-" * 40
_OURS = re.compile(r"[a-z]{3}_[0-9a-z]{26}(-a1)?|\d{4}-\d\d-\d\dT.*|-?\d+(\.\d+)?|[A-Z]{3}")

LISTS = {
    ("cases", "list"): "/api/v1/cases",
    ("cases", "unknown"): "/api/v1/unknown-outcomes",
    ("disbursements",): "/api/v1/disbursements",
    ("topups", "list"): "/api/v1/top-ups",
    ("floats", "list"): "/api/v1/float-purchases",
    ("collections", "list"): "/api/v1/collections",
    ("bulk", "list"): "/api/v1/bulk-actions",
    ("partner", "list"): "/api/v1/partners",
    ("keys", "list"): "/api/v1/keys",
    ("tariffs", "list"): "/api/v1/tariffs",
}


def example_of(path: str) -> dict[str, Any]:
    """A row of a list, or a whole answer, as the API's own document shows it."""
    schema = _schema(DOCUMENT["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"])
    if "items" in schema.get("properties", {}):
        schema = _schema(schema["properties"]["items"]["items"])
    return {**dict.fromkeys(schema["properties"]), **schema["examples"][0]}  # the document leaves out what is null


def _schema(ref: dict[str, Any]) -> dict[str, Any]:
    return dict(DOCUMENT["components"]["schemas"][ref["$ref"].rpartition("/")[2]])


def filled(value: Any, text: str, amount: str | None = None) -> Any:
    """The same, with this text wherever a stranger may have written, and this amount wherever money stands."""
    if isinstance(value, dict):
        if amount and {"amount", "currency"} == value.keys():
            return {**value, "amount": amount}
        return {name: inner if name in ("currency", "kind", "state") else filled(inner, text, amount)
                for name, inner in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [filled(inner, text, amount) for inner in value]
    if value is None or (isinstance(value, str) and not _OURS.fullmatch(value)):
        return text
    return value


def assert_harmless(shown: str) -> None:
    assert not [char for char in shown if char != "\n" and is_unseen(char)]
    assert "owned" not in shown


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_fits_eighty_columns_and_keeps_its_ids_whole(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = filled(example_of(LISTS[words]), LONG, "999999999999.99")
    answering.will(200, {"items": [row, row], "next_cursor": None})
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert max(cell_len(line) for line in done.stdout.splitlines()) <= 80, done.stdout
    first = row.get("id") or row.get("reference") or row["charge"]
    assert done.stdout.count(first) == 2 or words[0] == "tariffs", done.stdout


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_a_list_shows_what_strangers_wrote_and_obeys_none_of_it(
    run: Run, answering: Answering, words: tuple[str, ...]
) -> None:
    row = filled(example_of(LISTS[words]), HOSTILE)
    answering.will(200, {"items": [row], "next_cursor": None})
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert_harmless(done.stdout)


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_json_holds_every_character_and_shows_none_that_steers(
    run: Run, answering: Answering, words: tuple[str, ...]
) -> None:
    row = filled(example_of(LISTS[words]), HOSTILE)
    answering.will(200, {"items": [row], "next_cursor": None})
    shown = run(*words, "--json").stdout
    assert not [char for char in shown if char != "\n" and is_unseen(char)]
    assert json.loads(shown) == [row]


def test_cases_of_one_kind_tell_themselves_apart(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    one = {**example_of("/api/v1/cases"), "amount": "KES 1,000.00", "receipt": "TKL91ABC23", "account": "000000091"}
    answering.will(200, {"items": [one], "next_cursor": None})
    shown = run("cases", "list").stdout
    assert all(fact in shown for fact in ("KES 1,000.00", "+2547•••••678", "TKL91ABC23", "000000091"))


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (("cases", "show", CASE), ["/api/v1/cases/{case_id}"]),
        (
            ("partner", "show", PRT),
            ["/api/v1/partners/{partner_id}", "/api/v1/partners/{partner_id}/loan-products",
             "/api/v1/partners/{partner_id}/wallet"],
        ),
    ],
)  # fmt: skip
def test_one_thing_is_shown_harmlessly(
    run: Run, answering: Answering, words: tuple[str, ...], paths: list[str]
) -> None:
    for path in paths:
        answer = filled(example_of(path), HOSTILE)
        if path == "/api/v1/partners/{partner_id}":
            contact = {"name": HOSTILE, "phone": HOSTILE, "email": HOSTILE, "role": "notify"}
            connection = {"provider": "daraja", "status": "ok", "settings": {"base_url": HOSTILE}, "checked_at": None,
                          "check_detail": HOSTILE}  # fmt: skip
            answer |= {"contacts": [contact], "connections": [connection]}
        if "events" in answer:
            answer["events"] = [{"key": "k", "at": "2026-11-21T06:14:03Z", "tone": "bad", "text": HOSTILE,
                                 "facts": {HOSTILE: HOSTILE}}]  # fmt: skip
            answer["saga"] = filled(example_of("/api/v1/unknown-outcomes")["saga"], HOSTILE)
            answer["now"] = {"waiting_for": HOSTILE}
            answer["evidence"] = {HOSTILE: HOSTILE}
        answering.will(200, {"items": [answer]} if path.endswith("products") else answer)
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert_harmless(done.stdout)


def test_a_problem_is_told_harmlessly(run: Run, answering: Answering) -> None:
    answering.will(409, {"detail": HOSTILE, "code": "conflict", "facts": {HOSTILE: HOSTILE}})
    told = run("partner", "list")
    assert "[red]Wanjiru[/red]" in told.stderr
    assert_harmless(told.stderr)


def test_the_books_fit_and_are_harmless(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    big = {"amount": "999999999999.99", "currency": "KES"}
    wallet = {"partner": HOSTILE + LONG, "posted": big, "held": big, "available": big}
    told = {"partner": HOSTILE, "provider": "daraja", "account": LONG, "amount": big, "told_at": "2026-11-21T06:14:03Z"}
    breach = {"rule": HOSTILE, "subject": HOSTILE, "detail": HOSTILE}
    _show(Books([wallet], [{"account": "funding:bank:KES", "posted": big}], [told], 1, []))
    shown = capsys.readouterr().out
    assert_harmless(shown)
    assert max(cell_len(line) for line in shown.splitlines()) <= 80
    _show(Books([wallet], [], [], 1, [breach]))
    assert_harmless(capsys.readouterr().out)


def test_columns_that_find_no_room_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rows = [["loan-watch/" + PRT, "KES 12,500.00", "me", "2026-11-21"]]
    console().print(table(None, ["id", "amount", "owner", "since"], rows, least=("owner",)))
    shown = capsys.readouterr().out
    assert "loan-watch/prt_01ktv0r5m8e9a7d3c2b4x6y8z0" in "".join(shown.split())
    assert "not shown in 40 columns: owner, since, amount" in " ".join(shown.split())


def test_a_pipe_gets_every_column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    console().print(table(None, ["id", "a", "b", "c", "d"], [[PRT] + ["x" * 40] * 4]))
    assert "not shown" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "value", ["2026-13-99T99:99:99", "[/]", "\\", "x\\", "[bold]\\", {"amount": "1e3", "currency": "KES"}]
)
def test_odd_values_are_shown_as_they_are(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(f"[red]{cell(value)}[/]|")
    assert capsys.readouterr().out.strip() == (f"{value}|" if isinstance(value, str) else "KES 1e3|")


def test_a_failure_of_ours_is_plain_too(capsys: pytest.CaptureFixture[str]) -> None:
    show(Failure(HOSTILE, code="x", fact=HOSTILE), as_json=True)
    assert_json = capsys.readouterr().out
    assert not [char for char in assert_json if char != "\n" and is_unseen(char)]
    assert in_plain_words(Failure("x"))
    assert plain(LONG * 10).endswith("…")
