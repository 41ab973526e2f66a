"""What M-Pesa and the bank list against what our books have: each rule of the daily comparison of movements."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.scheduled.listing_checks import (
    balance,
    payments,
    reported,
    subject_of,
    unexplained,
    unknown_line,
    unlisted,
)
from core.money import Money
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.banking import BankEntry, closing_balance
from providers.collecting import PaymentSeen

AT = datetime(2026, 11, 21, 6, 14, tzinfo=UTC)


def kes(minor: int) -> Money:
    return Money(minor, "KES")


def ours(external_id: str, minor: int = 50_000, provider: str = "daraja") -> IncomingPayment:
    return IncomingPayment(
        id="inp_1", partner_id="prt_1", provider=provider, external_id=external_id, account="600997", amount_minor=minor,
        currency="KES", reference="", payer_name="", happened_at=AT, announced=["confirmation"], claimed_by="saga/1",
        created_at=AT, updated_at=AT,
    )  # fmt: skip


SEEN = PaymentSeen("UKL9A1B2C3", "600997", kes(50_000), "000000007", AT)


def test_what_m_pesa_lists_and_our_books_have_is_no_news() -> None:
    assert payments("prt_1", [SEEN, replace(SEEN, external_id="ukl9a1b2c3")], {"UKL9A1B2C3": ours("UKL9A1B2C3")}) == []


def test_a_receipt_that_our_books_do_not_have_is_told_once_under_a_key_that_stays() -> None:
    (found,) = payments("prt_1", [SEEN], {})
    assert (found.kind, found.subject) == ("payment_unknown", subject_of("daraja", "UKL9A1B2C3"))
    assert payments("prt_1", [replace(SEEN, external_id="ukl9a1b2c3")], {})[0].key == found.key
    assert payments("prt_2", [SEEN], {})[0].key != found.key


def test_another_amount_is_a_difference_of_its_own() -> None:
    (found,) = payments("prt_1", [SEEN], {"UKL9A1B2C3": ours("UKL9A1B2C3", 5_000)})
    assert (found.kind, found.workflow_id) == ("listing_differs", "saga/1")
    assert found.subject != subject_of("daraja", "UKL9A1B2C3")


def test_a_payment_of_ours_that_nobody_lists_may_be_forged() -> None:
    (found,) = unlisted("prt_1", "daraja", "M-Pesa", [ours("UKL9A1B2C3"), ours("UKLFORGED1")], ["ukl9a1b2c3"])
    assert (found.kind, found.evidence["receipt"]) == ("payment_unlisted", "UKLFORGED1")
    assert found.evidence["told_by"] == "confirmation"


@pytest.mark.parametrize(
    ("told", "state", "receipt", "differs"),
    [
        ("UKL1AAAAAA", "paid", "UKL1AAAAAA", False),
        ("ukl1aaaaaa", "paid", "UKL1AAAAAA", False),
        (None, "paid", "UKL1AAAAAA", False),  # an answer that names no receipt contradicts none
        ("UKL1AAAAAA", "paid", "UKL2BBBBBB", True),
        ("UKL1AAAAAA", "failed", None, True),
        ("UKL1AAAAAA", None, None, True),
    ],
)
def test_m_pesas_word_that_it_paid_is_what_our_books_say(
    told: str | None, state: str | None, receipt: str | None, differs: bool
) -> None:
    found = reported("prt_1", [("pay_1-a1", {"state": "paid", "receipt": told}, state, receipt)])
    assert [one.kind for one in found] == (["payment_unknown"] if differs else [])


# ------------------------------------------------------------------------------------------------------- a bank's statement

CREDIT = BankEntry("FT1", "1000200030", "credit", kes(50_000), "KVT7F3A9C2E", AT)
DEBIT = BankEntry("FT2", "1000200030", "debit", kes(20_000), "pay_9-a1 float", AT)


def sent(reference: str = "pay_9-a1", minor: int = 20_000, **values: Any) -> PayoutAttempt:
    return PayoutAttempt(
        reference=reference, leg_id="pay_9", number=1, role="transfer", workflow_id="w", partner_id="prt_1",
        provider="bank", account="1000200030", amount_minor=minor, currency="KES", kind="bank_transfer",
        destination="1000200047", state="paid", created_at=AT, updated_at=AT, **values,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "explained"),
    [
        (CREDIT, True),
        (replace(CREDIT, bank_transaction_id="ft1"), True),
        (replace(CREDIT, amount=kes(1)), False),
        (replace(CREDIT, bank_transaction_id="FT7"), False),
        (DEBIT, True),
        (replace(DEBIT, narration="PAY_9-A1"), True),
        (replace(DEBIT, narration="charges"), False),
        (replace(DEBIT, narration="charges", bank_transaction_id="FTOURS"), True),  # by its receipt
        (replace(DEBIT, amount=kes(1)), False),
        (replace(CREDIT, bank_transaction_id="", narration="pay_9-a1", amount=kes(20_000)), True),  # it came back
    ],
)
def test_a_line_is_explained_by_a_payment_or_by_an_instruction_of_the_same_amount(
    entry: BankEntry, explained: bool
) -> None:
    left = unexplained([entry], {"FT1": ours("FT1", provider="bank")}, [sent(receipt="FTOURS")])
    assert left == ([] if explained else [entry])


def test_a_line_without_an_id_is_known_again() -> None:
    nameless = replace(DEBIT, bank_transaction_id="", narration="charges")
    assert unknown_line("prt_1", nameless).key == unknown_line("prt_1", nameless).key
    assert unknown_line("prt_1", replace(nameless, amount=kes(2))).key != unknown_line("prt_1", nameless).key


def test_an_account_is_held_against_what_lay_there_before_us() -> None:
    assert balance("prt_1", "1000200030", kes(70_000), kes(20_000), kes(50_000)) == []
    (found,) = balance("prt_1", "1000200030", kes(69_000), kes(20_000), kes(50_000))
    assert (found.kind, found.evidence["difference"]) == ("balance_differs", "KES -10.00")
    assert balance("prt_1", "1000200030", kes(68_000), kes(20_000), kes(50_000))[0].key != found.key


def told(*balances: int | None) -> list[BankEntry]:
    """Lines of which each changes the account to the next balance."""
    found, before = [], 1_000
    for minor in balances:
        change = (minor if minor is not None else before + 5) - before
        before += change
        found.append(
            replace(
                CREDIT, amount=kes(abs(change)), direction="credit" if change >= 0 else "debit",
                balance=None if minor is None else kes(minor),
            )
        )  # fmt: skip
    return found


def test_a_closing_balance_is_that_of_the_newest_line_whichever_way_the_bank_lists() -> None:
    lines = told(1_500, 900, 2_000)
    assert closing_balance(lines) == kes(2_000)
    assert closing_balance(lines[::-1]) == kes(2_000)
    assert closing_balance(lines[:1]) == kes(1_500)


def test_a_balance_that_does_not_follow_from_the_lines_is_not_believed() -> None:
    lines = told(1_500, 900, 2_000)
    assert closing_balance([lines[0], lines[2]]) is None  # a line is missing
    assert closing_balance(told(1_500, None)) is None
    assert closing_balance([]) is None
    assert closing_balance([lines[0], replace(lines[1], balance=Money(900, "UGX"))]) is None
