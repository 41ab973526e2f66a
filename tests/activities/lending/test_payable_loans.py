"""Which loans one payout can serve, which clients may be paid, and which of a stranger's times are believed."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from activities.lending.payable_loans import NOT_PAYABLE, amount_to_pay, check_client
from core.clock import believed, utc_now
from core.errors import KivukoError, Rejected
from core.money import Money
from providers.ports import BankClient, Loan

LOAN = Loan(
    loan_id=91, account_no="000000091", product_id=1, product_name="Boda", client_id=27, client_name="-",
    status="loanStatusType.approved", awaiting_disbursal=True, active=False,
    approved_principal=Money.parse("10000.00", "KES"), net_disbursal=None, approved_on=date(2028, 2, 29),
    expected_disbursement_on=None, multi_disburse=False, kind="accountType.individual",
)  # fmt: skip


def kes(amount: str) -> Money:
    return Money.parse(amount, "KES")


@pytest.mark.parametrize(
    ("net", "top_up", "paid"),
    [
        (None, False, "10000.00"),
        ("9700.00", False, "9700.00"),
        ("10000.00", False, "10000.00"),
        ("400", True, "400.00"),
    ],
)
def test_the_net_where_given_is_what_is_paid(net: str | None, top_up: bool, paid: str) -> None:
    loan = replace(LOAN, net_disbursal=kes(net) if net else None, top_up=top_up)
    assert amount_to_pay(loan) == kes(paid)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"net_disbursal": kes("0")}, "nothing_to_pay"),
        ({"net_disbursal": kes("0"), "top_up": True}, "nothing_to_pay"),
        ({"net_disbursal": Money(-100, "KES")}, "nothing_to_pay"),
        ({"approved_principal": kes("0")}, "nothing_to_pay"),
        ({"net_disbursal": kes("10000.01")}, "net_above_principal"),
        ({"top_up": True}, "top_up_without_net"),
        ({"top_up": True, "net_disbursal": kes("10000.00")}, "top_up_without_net"),
        ({"multi_disburse": True}, "multi_tranche"),
        ({"auto_down_payment": True}, "down_payment"),
        ({"kind": "accountType.group"}, "group_loan"),
        ({"kind": "accountType.glim"}, "group_loan"),
        ({"kind": "accountType.jlg"}, "joint_liability_loan"),
        ({"client_id": None}, "no_client"),
        ({"charged_off": True}, "loan_charged_off"),
    ],
)
def test_what_one_payout_cannot_serve_is_refused_with_a_code_and_a_plain_reason(
    change: dict[str, Any], code: str
) -> None:
    with pytest.raises(Rejected) as caught:
        amount_to_pay(replace(LOAN, **change))
    assert caught.value.code == code
    assert code in NOT_PAYABLE
    assert caught.value.detail.endswith(".")
    assert "_" not in caught.value.detail


def test_cents_are_refused_and_may_be_mended_without_a_case() -> None:
    with pytest.raises(KivukoError) as caught:
        amount_to_pay(replace(LOAN, net_disbursal=kes("9700.50")))
    assert caught.value.code not in NOT_PAYABLE


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("clientStatusType.pending", "client_not_active"),
        ("clientStatusType.transfer.in.progress", "client_in_transfer"),
        ("clientStatusType.transfer.on.hold", "client_in_transfer"),
        ("clientStatusType.closed", "client_closed"),
        ("clientStatusType.rejected", "client_closed"),
        ("", "client_not_active"),
    ],
)
def test_a_client_for_whom_the_booking_would_be_refused_is_refused_before(status: str, code: str) -> None:
    check_client(BankClient(27, "-", None, active=True))
    with pytest.raises(Rejected) as caught:
        check_client(BankClient(27, "-", None, active=False, status=status))
    assert caught.value.code == code
    assert code in NOT_PAYABLE


def test_a_strangers_time_is_believed_only_about_our_own() -> None:
    slack, now = timedelta(minutes=10), utc_now()
    for told in (now, now - timedelta(minutes=9), now + timedelta(minutes=9)):
        assert believed(told, now, back=slack, slack=slack) == told
    for told in (now - timedelta(minutes=11), now + timedelta(minutes=11), now.replace(year=2019, day=1)):
        assert believed(told, now, back=slack, slack=slack) == now
    # A report that comes hours after our send names a time between them.
    sent = now - timedelta(hours=5)
    assert believed(now - timedelta(hours=1), sent, back=slack, slack=slack) == now - timedelta(hours=1)
    # A payment of a list that is pulled two days late.
    late = now - timedelta(hours=48)
    assert believed(late, now, back=timedelta(days=3), slack=slack) == late
