"""`kivuko topups|floats|collections`, and the commands that take any payment's id: what they send, what they print."""

import json
from typing import Any

import pytest

from cli.demo.guide import demo_lender
from cli.demo.world import SimulatedWorld
from cli.http import ApiClient
from tests.cli.conftest import Answering, Run

PRT = "prt_01ktv0r5m8e9a7d3c2b4x6y8z0"
TOP = "top_01ktv0r5m8e9a7d3c2b4x6y8z0"
FLT = "flt_01ktv0r5m8e9a7d3c2b4x6y8z0"
COL = "col_01ktv0r5m8e9a7d3c2b4x6y8z0"


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "KES"}


def row(saga_id: str, stage: str, **more: Any) -> dict[str, Any]:
    return {"id": saga_id, "stage": stage, "amount": money("2500.00"), "created_at": "2026-11-21T06:14:03Z", **more}


def event(key: str, text: str) -> dict[str, Any]:
    return {"key": key, "at": "2026-11-21T06:14:03.5Z", "tone": "good", "text": text, "facts": {}}


QUOTE = {
    "operator": "mpesa", "amount": money("2000.00"), "total": money("2080.00"), "available": money("100.00"),
    "enough": False,
    "lines": [{"item": "float", "amount": money("2000.00")}, {"item": "bank_transfer", "amount": money("80.00")}],
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- top-ups


def test_an_announced_top_up_says_where_to_pay_and_under_which_code(run: Run, answering: Answering) -> None:
    pay_to = {"account": "1000200030", "name": "KIVUKO WALLET"}
    answering.will(202, row(TOP, "requested", reference="KVT7F3A9C2E", pay_to=pay_to))
    shown = run("topups", "start", "2,500", "--partner", PRT)
    assert shown.exit_code == 0, shown.output
    method, path, body, headers = answering.asked[0]
    assert (method, path) == ("POST", "/api/v1/top-ups")
    assert body == {"amount": money("2500.00"), "partner_id": PRT}
    assert headers["Idempotency-Key"]
    assert "pay KES 2,500.00 to 1000200030 (KIVUKO WALLET) and write KVT7F3A9C2E on the transfer" in shown.stdout
    assert f"kivuko watch {TOP}" in shown.stdout


def test_a_prompted_top_up_is_followed_to_its_end(run: Run, answering: Answering) -> None:
    answering.will(202, row(TOP, "requested", reference="KVT7F3A9C2E", pay_to=None))
    answering.will(200, row(TOP, "completed"))
    answering.will(200, {"items": [event("credited", "KES 2,500.00 credited.")]})
    answering.will(200, row(TOP, "completed", credited=money("2500.00")))
    shown = run("topups", "start", "2500", "--phone", "+254711000222", "--watch")
    assert shown.exit_code == 0, shown.output
    assert answering.asked[0][2] == {"amount": money("2500.00"), "phone": "+254711000222"}
    assert answering.asked[2][1] == f"/api/v1/top-ups/{TOP}/events"
    assert "✓ KES 2,500.00 credited." in shown.stdout


@pytest.mark.parametrize("wrong", ["lots", "12.345", "-5", "1e3"])
def test_an_amount_that_is_none_is_not_even_sent(run: Run, answering: Answering, wrong: str) -> None:
    failed = run("topups", "start", "--", wrong)
    assert failed.exit_code == 1
    assert failed.stdout == ""
    assert answering.asked == []


def test_a_list_is_narrowed_and_shown_with_its_stages(run: Run, answering: Answering) -> None:
    answering.will(200, {"items": [row(TOP, "unallocated", bank_reference="FT26325AB12C")], "next_cursor": None})
    shown = run("topups", "list", "--partner", PRT, "--stage", "unallocated", "--limit", "5").stdout
    assert answering.asked[0][1] == f"/api/v1/top-ups?partner_id={PRT}&stage=unallocated&limit=5"
    assert "unallocated" in shown
    assert "FT26325AB12C" in shown


def test_an_empty_list_says_so(run: Run, answering: Answering) -> None:
    for words, said in (
        (("topups", "list"), "No top-ups yet."),
        (("floats", "list"), "No float purchases yet."),
        (("collections", "list"), "No collections yet."),
    ):
        answering.will(200, {"items": [], "next_cursor": None})
        assert run(*words).stdout == f"{said}\n"


def test_one_is_shown_with_its_timeline(run: Run, answering: Answering) -> None:
    answering.will(200, row(COL, "completed", receipt="UKL4X7QW2D"))
    answering.will(200, {"items": [event("posted:1", "Fineract booked it.")]})
    shown = json.loads(run("collections", "show", COL, "--json").stdout)
    assert (shown["receipt"], [one["key"] for one in shown["events"]]) == ("UKL4X7QW2D", ["posted:1"])


def test_an_id_of_another_kind_is_refused_before_anything_is_asked(run: Run, answering: Answering) -> None:
    assert f"{FLT} is no top-up: those begin with top_." in run("topups", "show", FLT).stderr
    assert "no payment's id" in run("watch", PRT).stderr
    assert answering.asked == []


# --------------------------------------------------------------------------------------------------------------- float


def test_a_quote_shows_every_line_and_whether_the_wallet_can_pay(run: Run, answering: Answering) -> None:
    answering.will(200, QUOTE)
    shown = run("floats", "quote", "2000").stdout
    assert answering.asked[0][:3] == (
        "POST", "/api/v1/float-purchases/quotes", {"operator": "mpesa", "amount": money("2000.00")}
    )  # fmt: skip
    assert "bank transfer" in shown
    assert "KES 2,080.00" in shown
    assert "not enough" in shown


def test_nothing_is_bought_at_a_price_that_nobody_agreed_to(run: Run, answering: Answering) -> None:
    failed = run("floats", "buy", "2000")
    assert failed.exit_code == 1
    assert "--total" in failed.stderr
    assert answering.asked == []


def test_what_was_agreed_to_goes_with_the_request(run: Run, answering: Answering) -> None:
    answering.will(202, row(FLT, "requested"))
    shown = run("floats", "buy", "2000", "--operator", "airtel", "--total", "2080", "--partner", PRT)
    assert answering.asked[0][2] == {
        "operator": "airtel", "amount": money("2000.00"), "expected_total": money("2080.00"), "partner_id": PRT
    }  # fmt: skip
    assert f"kivuko floats confirm {FLT}" in shown.stdout


def test_a_price_that_has_changed_is_told_with_the_new_one(run: Run, answering: Answering) -> None:
    problem = {
        "detail": "The price is now KES 2,090.00.", "code": "price_changed", "facts": {"total": "2090.00"},
        "errors": [{"field": "expected_total", "rule": "price_changed", "detail": "The price is now KES 2,090.00."}],
    }  # fmt: skip
    answering.will(409, problem)
    failed = run("floats", "buy", "2000", "--total", "2080", "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["error"]["total"] == "2090.00"


def test_the_code_comes_from_standard_input_and_never_from_the_command_line(run: Run, answering: Answering) -> None:
    answering.will(200, {"id": FLT, "stage": "transferring", "at": "2026-11-21T06:14:05Z"})
    done = run("floats", "confirm", FLT, input="042917\n")
    assert done.exit_code == 0, done.output
    assert answering.asked[0][:3] == ("POST", f"/api/v1/float-purchases/{FLT}/confirm", {"code": "042917"})
    assert run("floats", "confirm", FLT, "042917").exit_code == 2
    assert len(answering.asked) == 1


def test_a_wrong_code_is_one_sentence_though_its_field_is_called_code(run: Run, answering: Answering) -> None:
    problem = {
        "detail": "The code is wrong.", "code": "wrong_code", "facts": {"tries_left": "4"},
        "errors": [{"field": "code", "rule": "wrong_code", "detail": "The code is wrong."}],
    }  # fmt: skip
    for _ in range(2):
        answering.will(422, problem)
    failed = run("floats", "confirm", FLT, input="000000\n")
    assert "✗ The code is wrong." in failed.stderr
    assert "tries_left: 4" in failed.stderr
    assert "Traceback" not in failed.output
    error = json.loads(run("floats", "confirm", FLT, "--json", input="000000\n").stdout)["error"]
    assert (error["code"], error["detail"]) == ("wrong_code", "The code is wrong.")


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("floats", "resend", FLT), f"/api/v1/float-purchases/{FLT}/resend-code"),
        (("floats", "cancel", FLT), f"/api/v1/float-purchases/{FLT}/cancel"),
        (("cancel", TOP), f"/api/v1/top-ups/{TOP}/cancel"),
        (("retry", COL), f"/api/v1/collections/{COL}/retry"),
    ],
)
def test_a_command_goes_to_the_payment_that_its_id_names(
    run: Run, answering: Answering, words: tuple[str, ...], path: str
) -> None:
    answering.will(200, {"stage": "awaiting_code", "at": "2026-11-21T06:14:05Z"})
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert answering.asked[0][:2] == ("POST", path)
    assert "taken at stage awaiting_code" in done.stdout


# --------------------------------------------------------------------------------------------------------- collections


def test_a_customer_is_asked_for_a_payment(run: Run, answering: Answering) -> None:
    answering.will(202, row(COL, "requested"))
    done = run("collections", "ask", "500", "+254712345678", "000000091", "--partner", PRT, "--json")
    assert json.loads(done.stdout)["id"] == COL
    assert answering.asked[0][:3] == (
        "POST", "/api/v1/collections",
        {"amount": money("500.00"), "phone": "+254712345678", "account": "000000091", "partner_id": PRT},
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- demos


@pytest.mark.parametrize(
    ("demo", "wrong", "said"),
    [
        ("topup", "0", "such as 2500"),
        ("topup", "12.345", "such as 2500"),
        ("float", "lots", "such as 2000"),
        ("collect", "10.50", "such as 1000"),
        ("collect", "-5", "such as 1000"),
    ],
)
def test_a_demo_takes_amounts_of_money_alone(run: Run, demo: str, wrong: str, said: str) -> None:
    assert said in run("demo", demo, f"--amount={wrong}").stderr


def test_a_demo_without_its_lender_says_what_makes_it(
    run: Run, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.demo.guide._MADE_WITHIN", 0)
    answering.will(200, {"items": [{"id": PRT, "name": "Another Sacco"}], "next_cursor": None})
    failed = run("demo", "topup")
    assert failed.exit_code == 1
    assert "There is no lender called Demo Sacco: `kivuko up` makes it." in failed.stderr


def test_a_demo_waits_until_its_lender_is_whole(answering: Answering, capsys: pytest.CaptureFixture[str]) -> None:
    """The API answers before `kivuko up` has made the lender and registered all that announces to it."""
    others: dict[str, Any] = {"items": [{"id": "prt_x", "name": "Another Sacco"}], "next_cursor": None}
    ours = {"items": [*others["items"], {"id": PRT, "name": "Demo Sacco"}], "next_cursor": None}
    for answer in (others, ours, [], ours, [{"shortcode": "600997"}]):
        answering.will(200, answer)
    with ApiClient(answering.url, "kvk_a_b") as api, SimulatedWorld(answering.url) as world:
        assert demo_lender(api, world, 30, every=0.01) == PRT
    assert answering.answers == []
    assert capsys.readouterr().err.count("Waiting for Demo Sacco") == 1
