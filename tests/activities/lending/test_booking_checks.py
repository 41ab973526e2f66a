"""What Fineract shows of a payment against what moved: each rule of the daily comparison."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from activities.lending.booking_checks import of_collection, of_disbursement
from core.clock import utc_now
from core.money import Money
from models.tables.lending.customer_collection import Collection
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.ports import Loan, LoanDisbursal
from providers.repayments import CustomerAccount, RecordedPayment

NOW = utc_now()


def kes(minor: int) -> Money:
    return Money(minor, "KES")


def row(**values: Any) -> Disbursement:
    facts: dict[str, Any] = {
        "id": "dsb_1", "partner_id": "prt_1", "workflow_id": "loan-disbursement/prt_1/91", "requested_by": "test",
        "stage": "completed", "tenant_key": "t", "loan_id": 91, "round": 1, "source": "api", "account_no": "000000091",
        "currency": "KES", "amount_minor": 90_000, "principal_minor": 100_000, "paid_minor": 90_000,
        "receipts": ["UKL4X7QW2D"], "transaction_id": 17, "created_at": NOW, "updated_at": NOW, **values,
    }  # fmt: skip
    return Disbursement(**facts)


def attempt(amount: int = 90_000) -> PayoutAttempt:
    return PayoutAttempt(
        reference="pay_1-a1", leg_id="pay_1", number=1, role="client", workflow_id="w", partner_id="prt_1",
        provider="daraja", account="600997", amount_minor=amount, currency="KES", msisdn="+254712345678", state="paid",
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip


OURS = LoanDisbursal(17, kes(100_000), "kvk-d-dsb_1", "UKL4X7QW2D", reversed=False)
LOAN = Loan(
    loan_id=91, account_no="000000091", product_id=1, product_name="x", client_id=1, client_name="x",
    status="loanStatusType.active", awaiting_disbursal=False, active=True, approved_principal=kes(100_000),
    net_disbursal=kes(90_000), approved_on=None, expected_disbursement_on=None, multi_disburse=False, disbursals=(OURS,),
)  # fmt: skip
UNDONE = replace(OURS, reversed=True)
CLERKS = LoanDisbursal(18, kes(100_000), None, None, reversed=False)


@pytest.mark.parametrize(
    ("disbursals", "found"),
    [
        ((OURS,), []),
        ((UNDONE, OURS), []),
        ((replace(OURS, external_id=None, transaction_id=99),), []),  # known by its receipt
        ((replace(OURS, external_id=None, receipt=None),), []),  # known by its id
        ((), ["booking_missing"]),
        ((UNDONE,), ["booking_missing"]),
        ((CLERKS,), ["booking_missing"]),
        ((OURS, CLERKS), ["booked_twice"]),
        ((OURS, replace(OURS, transaction_id=18)), ["booked_twice"]),
        ((replace(OURS, amount=kes(90_000)),), ["booking_differs"]),
    ],
)
def test_a_loan_is_booked_once_and_with_its_amount(disbursals: tuple[LoanDisbursal, ...], found: list[str]) -> None:
    differences = of_disbursement(row(), [attempt()], replace(LOAN, disbursals=disbursals))
    assert [one.kind for one in differences] == found
    assert all(one.workflow_id == one.subject == "loan-disbursement/prt_1/91" for one in differences)


def test_a_loan_that_fineract_does_not_know_is_a_missing_booking() -> None:
    (found,) = of_disbursement(row(), [attempt()], None)
    assert found.kind == "booking_missing"
    assert found.evidence["receipts"] == "UKL4X7QW2D"


def test_a_part_of_a_loan_is_booked_as_what_was_paid() -> None:
    part = {"paid_minor": 40_000, "amount_minor": 90_000}
    booked = replace(LOAN, disbursals=(replace(OURS, amount=kes(40_000)),))
    assert of_disbursement(row(**part), [attempt(40_000)], booked) == []
    assert [one.kind for one in of_disbursement(row(**part), [attempt(40_000)], LOAN)] == ["booking_differs"]


def test_what_was_booked_by_hand_is_known_by_its_amount_where_nobody_said_its_id() -> None:
    by_hand = row(transaction_id=None, receipts=[])
    assert of_disbursement(by_hand, [attempt()], replace(LOAN, disbursals=(CLERKS,))) == []
    other = replace(CLERKS, amount=kes(1))
    assert [one.kind for one in of_disbursement(by_hand, [attempt()], replace(LOAN, disbursals=(other,)))] == [
        "booking_missing"
    ]


def test_what_m_pesa_paid_is_what_our_books_say() -> None:
    assert [one.kind for one in of_disbursement(row(), [attempt(), attempt(1)], LOAN)] == ["listing_differs"]
    assert [one.kind for one in of_disbursement(row(), [], LOAN)] == ["listing_differs"]


def test_each_trouble_of_one_loan_has_a_key_of_its_own_which_stays() -> None:
    once = of_disbursement(row(), [], None)
    assert [one.key for one in once] == [one.key for one in of_disbursement(row(), [], None)]
    assert len({one.key for one in once}) == len(once) == 2


# --------------------------------------------------------------------------------------------------- customers' payments

ACCOUNT = CustomerAccount(
    kind="loan", account_id=7, account_no="000000007", external_id=None, client_id=27, client_name="x", currency="KES",
    status="loanStatusType.active", takes_payments=True,
)  # fmt: skip
COLLECTION = Collection(
    id="col_1", partner_id="prt_1", workflow_id="customer-collection/col_1", requested_by="test", stage="completed",
    channel="paybill", currency="KES", amount_minor=50_000, account_ref="000000007", receipt="UKL9A1B2C3", created_at=NOW,
    updated_at=NOW,
)  # fmt: skip
PART = {"kind": "loan", "account_no": "000000007", "account_id": 7, "amount_minor": 50_000, "transaction_id": 31}
PAYMENT = RecordedPayment(
    31, ACCOUNT, kes(50_000), date(2026, 11, 21), "mpesa-UKL9A1B2C3", "UKL9A1B2C3", reversed=False
)


@pytest.mark.parametrize(
    ("payments", "found"),
    [
        ([PAYMENT], []),
        ([PAYMENT, replace(PAYMENT, transaction_id=32, external_id="cash-1", receipt="till 7")], []),
        ([replace(PAYMENT, external_id=None, receipt=None)], []),
        ([replace(PAYMENT, external_id=None, transaction_id=99, receipt="ukl9a1b2c3 ")], []),
        ([], ["booking_missing"]),
        (None, ["booking_missing"]),
        ([replace(PAYMENT, reversed=True)], ["booking_missing"]),
        ([PAYMENT, replace(PAYMENT, transaction_id=32, external_id=None)], ["booked_twice"]),
        ([replace(PAYMENT, amount=kes(5_000))], ["booking_differs"]),
    ],
)
def test_a_payment_is_booked_once_and_with_its_amount(payments: list[RecordedPayment] | None, found: list[str]) -> None:
    assert [one.kind for one in of_collection(COLLECTION, 1, PART, payments)] == found


def test_parts_of_one_receipt_are_told_apart() -> None:
    second = replace(PAYMENT, transaction_id=32, external_id="mpesa-UKL9A1B2C3-2", receipt="UKL9A1B2C3-2")
    assert of_collection(COLLECTION, 2, {**PART, "transaction_id": 32}, [PAYMENT, second]) == []
    (missing,) = of_collection(COLLECTION, 2, {**PART, "transaction_id": 32}, [PAYMENT])
    (other,) = of_collection(COLLECTION, 1, PART, [second])
    assert missing.key != other.key
