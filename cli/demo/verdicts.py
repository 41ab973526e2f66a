"""The demos' judges: what the books of all sides must say after each scene. Pure, so that each can be shown to notice."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cli.demo.promises import Promise, decimal, kes

Row = dict[str, Any]


@dataclass
class CreditSeen:
    """A top-up: `row` is ours, `entries` are the bank's for the transaction, `lines` the wallet's for it."""

    row: Row
    transaction_id: str
    amount: Decimal
    before: Row
    after: Row
    lines: list[Row]
    entries: list[Row]


@dataclass
class FloatSeen:
    """A float purchase: `sold` are the bank's entries of it on the short code's float, `b2c` those on the B2C account,
    `moved` what changed at the bank by place ("wallet", "b2c", "float")."""

    row: Row
    quote: Row
    before: Row
    after: Row
    lines: list[Row]
    sold: list[Row]
    b2c: list[Row]
    moved: dict[str, Decimal]


@dataclass
class PaymentsSeen:
    """A borrower's payments: M-Pesa's, Fineract's, our sagas' stages, what the loan owed before and owes now, and for each
    payment how many SMS told the customer and the lender of it."""

    stages: list[str]
    payments: list[Row]
    repayments: list[Row]
    owed_before: Decimal
    owed: Decimal
    told_customer: list[int]
    told_lender: list[int]
    lender_phones: int = 1


def judge_credit(seen: CreditSeen) -> list[Promise]:
    rose = decimal(seen.after["balance"]) - decimal(seen.before["balance"])
    paid_in = sum((Decimal(entry["amount"]) for entry in seen.entries), Decimal(0))
    return [
        Promise("the saga completed", seen.row["stage"] == "completed", seen.row["stage"]),
        Promise(
            "credited once, for the bank's own transaction",
            len(seen.lines) == 1 and seen.row["bank_reference"] == seen.transaction_id,
            f"{len(seen.lines)} credit(s), {seen.row['bank_reference']}",
        ),
        Promise("the wallet rose by exactly what was paid", rose == seen.amount, kes(rose)),
        Promise(
            "the bank's books hold that money once",
            len(seen.entries) == 1 and paid_in == seen.amount,
            f"{len(seen.entries)} entries, {kes(paid_in)}",
        ),
    ]


def judge_uncredited(row: Row, cases: Sequence[Row], before: Row, after: Row) -> list[Promise]:
    """Money that names no top-up."""
    kinds = ", ".join(case["kind"] for case in cases)
    return [
        Promise("a saga of its own waits for a person", row["stage"] == "unallocated", row["stage"]),
        Promise("its case is open", kinds == "credit_unallocated", kinds or "none"),
        Promise("nothing was credited", after["balance"] == before["balance"], kes(decimal(after["balance"]))),
    ]


def judge_bought(seen: FloatSeen) -> list[Promise]:
    amount, total = decimal(seen.quote["amount"]), decimal(seen.quote["total"])
    fell = decimal(seen.before["balance"]) - decimal(seen.after["balance"])
    captured = -sum((decimal(line["change"]) for line in seen.lines), Decimal(0))
    return [
        Promise("the saga completed", seen.row["stage"] == "completed", seen.row["stage"]),
        Promise(
            "the wallet fell by the price that was shown, line by line",
            fell == captured == total and len(seen.lines) == len(seen.quote["lines"]),
            f"{kes(fell)} in {len(seen.lines)} lines",
        ),
        _no_hold(seen),
        Promise(
            "the float arrived once",
            [Decimal(entry["amount"]) for entry in seen.sold] == [amount] and seen.moved["float"] == amount,
            f"{len(seen.sold)} purchase(s), {kes(seen.moved['float'])}",
        ),
        Promise(
            "it was paid once, from the wallet's account through the B2C account",
            seen.moved["wallet"] == -amount and not seen.moved["b2c"],
            f"{kes(seen.moved['wallet'])} and {kes(seen.moved['b2c'])}",
        ),
    ]


def judge_rejected(seen: FloatSeen) -> list[Promise]:
    """The float was refused after the transfer: nothing may be lost."""
    back = seen.row["returned_reference"]
    return [
        Promise("the saga says that it failed", seen.row["stage"] == "failed", seen.row["stage"]),
        Promise(
            "the wallet is as it was, to the cent",
            seen.after["balance"] == seen.before["balance"] and not seen.lines,
            kes(decimal(seen.after["balance"])),
        ),
        _no_hold(seen),
        Promise(
            "the money went to the B2C account and came back, once each",
            [entry["direction"] for entry in seen.b2c] == ["credit", "debit"] and bool(back),
            f"{len(seen.b2c)} movements, back by {back}",
        ),
        Promise(
            "at the bank nothing is lost and no float was sold",
            not any(seen.moved.values()) and not seen.sold,
            ", ".join(f"{place} {kes(change)}" for place, change in seen.moved.items()),
        ),
    ]


def _no_hold(seen: FloatSeen) -> Promise:
    held = seen.after["held"]
    return Promise("nothing stays held for it", held == seen.before["held"], kes(decimal(held)))


def judge_payments(seen: PaymentsSeen) -> list[Promise]:
    paid = sum((Decimal(payment["amount"]) for payment in seen.payments), Decimal(0))
    booked = sorted((str(t["receiptNumber"]), Decimal(t["amount"])) for t in seen.repayments)
    return [
        Promise(
            "every saga completed, one for each payment",
            seen.stages == ["completed"] * len(seen.payments) and bool(seen.payments),
            ", ".join(seen.stages),
        ),
        Promise(
            "Fineract booked each payment once, under M-Pesa's receipt",
            booked == sorted((payment["receipt"], Decimal(payment["amount"])) for payment in seen.payments),
            ", ".join(f"{receipt} {amount:,.2f}" for receipt, amount in booked),
        ),
        Promise(
            "the borrower owes less by exactly what was paid", seen.owed_before - seen.owed == paid,
            f"still {kes(seen.owed)}",
        ),
        Promise(
            "customer and lender got one SMS for each",
            seen.told_customer == [1] * len(seen.payments)
            and seen.told_lender == [seen.lender_phones] * len(seen.payments),
            f"{sum(seen.told_customer)} to the customer, {sum(seen.told_lender)} to the lender",
        ),
    ]  # fmt: skip


def judge_books(breaches: Sequence[Any], accounts: Sequence[tuple[str, Decimal, Decimal]]) -> list[Promise]:
    """`accounts`: name, what the bank has on it, what our ledger says."""
    promises = [Promise("our books balance", not breaches, f"{len(breaches)} breaches")]
    for name, bank, ours in accounts:
        what = f"on the {name} the bank and our ledger agree to the cent"
        promises.append(Promise(what, bank == ours, f"{kes(bank)} and {kes(ours)}"))
    return promises
