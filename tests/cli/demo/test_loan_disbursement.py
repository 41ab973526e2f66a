"""The demo is a judge: whatever is not as promised in the books must turn its verdict."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cli.demo.loan_disbursement import DemoRun, judge

KES = "KES"


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": KES}


def good_run() -> DemoRun:
    """A demo run as it should be."""
    return DemoRun(
        trouble="none",
        loan_id=91,
        disbursement_id="dsb_1",
        stage="completed",
        receipts=["UKL4X7QW2D"],
        wallet_before={"balance": money("5000.00"), "held": money("0.00")},
        wallet_after={"balance": money("4977.00"), "held": money("0.00")},
        charges=[{"charge": "mpesa_b2c", "amount": money("-11.00")}, {"charge": "sms", "amount": money("-12.00")}],
        payouts=[{"receipt": "UKL4X7QW2D", "amount": "12500.00", "msisdn": "254712345678"}],
        loan={
            "status": "active",
            "transactions": [{"type": "disbursement", "reversed": False, "receiptNumber": "UKL4X7QW2D"}],
        },
        messages=[{"text": "to the client"}, {"text": "to the lender"}],
    )


def broken(run: DemoRun, sagas: int = 1) -> list[str]:
    """The promises that were not kept."""
    promises = judge(run, Decimal("12500"), [{}] * sagas)
    return [promise.text for promise in promises if not promise.kept]


def test_a_demo_run_as_it_should_be_keeps_every_promise() -> None:
    assert broken(good_run()) == []


def _pay_twice(run: DemoRun) -> None:
    run.payouts.append({**run.payouts[0], "receipt": "UKL0000000"})


def _book_twice(run: DemoRun) -> None:
    run.loan["transactions"].append(dict(run.loan["transactions"][0]))


def _change(name: str, value: Any) -> Callable[[DemoRun], None]:
    return lambda run: setattr(run, name, value)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (_change("stage", "in_review"), "completed"),
        (_pay_twice, "once"),
        (_change("payouts", []), "receipt"),
        (_change("receipts", ["UKL9999999"]), "receipt is ours"),
        (_book_twice, "booked once"),
        (_change("loan", {"status": "approved", "transactions": []}), "active in Fineract"),
        (_change("wallet_after", {"balance": money("4954.00"), "held": money("0.00")}), "charges alone"),
        (_change("charges", []), "charges alone"),
        (_change("wallet_after", {"balance": money("4977.00"), "held": money("23.00")}), "stays held"),
        (_change("messages", [{"text": "one"}]), "SMS"),
    ],
)
def test_what_is_wrong_in_the_books_breaks_a_promise(spoil: Callable[[DemoRun], None], word: str) -> None:
    run = good_run()
    spoil(run)
    assert any(word in text for text in broken(run))


def test_two_sagas_for_one_loan_break_a_promise() -> None:
    assert broken(good_run(), sagas=2) == ["hook and poll together started one saga"]
