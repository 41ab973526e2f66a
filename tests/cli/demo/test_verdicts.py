"""The demos are judges: whatever is not as promised in the books of any side must turn their verdict."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from cli.demo.promises import Promise
from cli.demo.verdicts import (
    CreditSeen,
    FloatSeen,
    PaymentsSeen,
    judge_books,
    judge_bought,
    judge_credit,
    judge_payments,
    judge_rejected,
    judge_uncredited,
)

S = TypeVar("S")
Spoil = Callable[[Any], object]


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "KES"}


def wallet(balance: str, held: str = "0.00") -> dict[str, Any]:
    return {"balance": money(balance), "held": money(held)}


def credit() -> CreditSeen:
    return CreditSeen(
        row={"stage": "completed", "bank_reference": "FT26325AB12C"},
        transaction_id="FT26325AB12C",
        amount=Decimal(2500),
        before=wallet("5000.00"),
        after=wallet("7500.00"),
        lines=[{"change": money("2500.00")}],
        entries=[{"amount": "2500.00"}],
    )


def bought() -> FloatSeen:
    costs = [("float", "2000.00"), ("bank_transfer", "30.00"), ("float_processing", "50.00")]
    return FloatSeen(
        row={"stage": "completed", "returned_reference": None},
        quote={
            "amount": money("2000.00"),
            "total": money("2080.00"),
            "lines": [{"item": item, "amount": money(amount)} for item, amount in costs],
        },
        before=wallet("5000.00"),
        after=wallet("2920.00"),
        lines=[{"change": money(f"-{amount}")} for _, amount in costs],
        sold=[{"amount": "2000.00"}],
        b2c=[{"direction": "credit"}, {"direction": "debit"}],
        moved={"wallet": Decimal(-2000), "b2c": Decimal(0), "float": Decimal(2000)},
    )


def rejected() -> FloatSeen:
    seen = bought()
    seen.row = {"stage": "failed", "returned_reference": "RB2611-000003"}
    seen.after, seen.lines, seen.sold = wallet("5000.00"), [], []
    seen.moved = dict.fromkeys(seen.moved, Decimal(0))
    return seen


def payments() -> PaymentsSeen:
    return PaymentsSeen(
        stages=["completed", "completed"],
        payments=[{"receipt": "UKLA", "amount": "1000.00"}, {"receipt": "UKLB", "amount": "500.00"}],
        repayments=[{"receiptNumber": "UKLB", "amount": "500.00"}, {"receiptNumber": "UKLA", "amount": "1000.00"}],
        owed_before=Decimal(20000),
        owed=Decimal(18500),
        told_customer=[1, 1],
        told_lender=[1, 1],
    )


def broken(promises: list[Promise]) -> str:
    return "; ".join(promise.text for promise in promises if not promise.kept)


def spoilt(seen: S, spoil: Spoil) -> S:
    changed = deepcopy(seen)
    spoil(changed)
    return changed


def put(name: str, value: Any) -> Spoil:
    return lambda seen: setattr(seen, name, value)


def test_what_is_as_it_should_be_breaks_nothing() -> None:
    assert broken(judge_credit(credit())) == ""
    assert broken(judge_bought(bought())) == ""
    assert broken(judge_rejected(rejected())) == ""
    assert broken(judge_payments(payments())) == ""
    assert broken(judge_books([], [("wallet's account", Decimal("500.10"), Decimal("500.10"))])) == ""


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda seen: seen.row.update(stage="crediting"), "completed"),
        (lambda seen: seen.row.update(bank_reference="FT26325ZZ99Z"), "credited once"),
        (lambda seen: seen.lines.append(seen.lines[0]), "credited once"),
        (put("lines", []), "credited once"),
        (put("after", wallet("10000.00")), "rose by exactly"),
        (put("entries", []), "bank's books"),
        (lambda seen: seen.entries.append(seen.entries[0]), "bank's books"),
    ],
)
def test_a_credit_that_is_wrong_somewhere_breaks_a_promise(spoil: Spoil, word: str) -> None:
    assert word in broken(judge_credit(spoilt(credit(), spoil)))


def test_money_without_a_code_that_was_credited_after_all_breaks_a_promise() -> None:
    waiting, case = {"stage": "unallocated"}, {"kind": "credit_unallocated"}
    assert broken(judge_uncredited(waiting, [case], wallet("5000.00"), wallet("5000.00"))) == ""
    assert "credited" in broken(judge_uncredited(waiting, [case], wallet("5000.00"), wallet("7500.00")))
    assert "case" in broken(judge_uncredited(waiting, [], wallet("5000.00"), wallet("5000.00")))
    assert "waits" in broken(judge_uncredited({"stage": "completed"}, [case], wallet("1.00"), wallet("1.00")))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda seen: seen.row.update(stage="in_review"), "completed"),
        (put("after", wallet("2920.01")), "price that was shown"),
        (lambda seen: seen.lines.pop(), "price that was shown"),
        (put("after", wallet("2920.00", held="2080.00")), "stays held"),
        (lambda seen: seen.sold.append(seen.sold[0]), "arrived once"),
        (put("sold", []), "arrived once"),
        (lambda seen: seen.moved.update(float=Decimal(4000)), "arrived once"),
        (lambda seen: seen.moved.update(wallet=Decimal(-4000)), "paid once"),
        (lambda seen: seen.moved.update(b2c=Decimal("0.01")), "paid once"),
    ],
)
def test_a_purchase_that_is_wrong_somewhere_breaks_a_promise(spoil: Spoil, word: str) -> None:
    assert word in broken(judge_bought(spoilt(bought(), spoil)))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda seen: seen.row.update(stage="in_review"), "failed"),
        (lambda seen: seen.row.update(returned_reference=None), "came back"),
        (lambda seen: seen.b2c.append({"direction": "debit"}), "came back"),
        (put("after", wallet("4920.00")), "as it was"),
        (put("after", wallet("5000.00", held="2080.00")), "stays held"),
        (lambda seen: seen.moved.update(b2c=Decimal(2000), wallet=Decimal(-2000)), "nothing is lost"),
        (put("sold", [{"amount": "2000.00"}]), "no float was sold"),
    ],
)
def test_a_rejected_purchase_that_lost_something_breaks_a_promise(spoil: Spoil, word: str) -> None:
    assert word in broken(judge_rejected(spoilt(rejected(), spoil)))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (put("stages", ["completed", "post_review"]), "every saga completed"),
        (put("stages", ["completed"] * 3), "one for each payment"),
        (put("payments", []), "every saga completed"),
        (lambda seen: seen.repayments.append(seen.repayments[0]), "booked each payment once"),
        (lambda seen: seen.repayments.pop(), "booked each payment once"),
        (lambda seen: seen.repayments[0].update(receiptNumber="UKLC"), "under M-Pesa's receipt"),
        (put("owed", Decimal(17500)), "owes less"),
        (put("told_customer", [2, 0]), "one SMS"),
        (put("told_lender", [1, 2]), "one SMS"),
        (put("lender_phones", 2), "one SMS"),
    ],
)
def test_a_payment_that_is_wrong_somewhere_breaks_a_promise(spoil: Spoil, word: str) -> None:
    assert word in broken(judge_payments(spoilt(payments(), spoil)))


def test_books_that_do_not_agree_to_the_cent_break_a_promise() -> None:
    off_by_a_cent = ("B2C account", Decimal("0.01"), Decimal(0))
    assert "B2C account" in broken(judge_books([], [off_by_a_cent]))
    assert "books balance" in broken(judge_books([{"rule": "sums_to_zero"}], []))
