"""The demo is a judge: whatever is not as promised in the books must turn its verdict."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from cli.demo.loan_disbursement import Crossing, judge

KES = "KES"


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": KES}


def crossed() -> Crossing:
    """A crossing as it should be."""
    return Crossing(
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


def broken(crossing: Crossing, sagas: int = 1) -> list[str]:
    """The promises that were not kept."""
    promises = judge(crossing, Decimal("12500"), [{}] * sagas)
    return [promise.text for promise in promises if not promise.kept]


def test_a_crossing_as_it_should_be_keeps_every_promise() -> None:
    assert broken(crossed()) == []


def _pay_twice(crossing: Crossing) -> None:
    crossing.payouts.append({**crossing.payouts[0], "receipt": "UKL0000000"})


def _book_twice(crossing: Crossing) -> None:
    crossing.loan["transactions"].append(dict(crossing.loan["transactions"][0]))


def _change(name: str, value: Any) -> Callable[[Crossing], None]:
    return lambda crossing: setattr(crossing, name, value)


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
def test_what_is_wrong_in_the_books_breaks_a_promise(spoil: Callable[[Crossing], None], word: str) -> None:
    crossing = crossed()
    spoil(crossing)
    assert any(word in text for text in broken(crossing))


def test_two_sagas_for_one_loan_break_a_promise() -> None:
    assert broken(crossed(), sagas=2) == ["hook and poll together started one saga"]
