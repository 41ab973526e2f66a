"""Whose account a payment is for, and what an account or an operator's parts may take."""

from dataclasses import replace
from typing import Any

import pytest

from activities.lending.customer_collection import _refuse_wrong_parts, find_account, place
from core.errors import Conflict, InvalidRequest, NotFound
from core.money import Money
from models.messages.saga.decisions import Allocation
from providers.repayments import CustomerAccount
from tests.simulators.fineract.bank import Bank

LOAN = CustomerAccount(
    kind="loan", account_id=7, account_no="000000007", external_id=None, client_id=27, client_name="Wanjiru Achieng",
    status="loanStatusType.active", takes_payments=True, currency="KES", outstanding=Money(100_000, "KES"),
)  # fmt: skip
SAVINGS = replace(LOAN, kind="savings", outstanding=None, balance=Money(0, "KES"))


def kes(amount: str) -> Money:
    return Money.parse(amount, "KES")


# ----------------------------------------------------------------------------------------------------- whose account


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("L000555", "loan"), ("l-000555", "loan"), ("L 000555", "loan"), (" l000555 ", "loan"), ("S000555", "savings"),
        ("S 000555", "savings"), ("s-000555", "savings"),
    ],
)  # fmt: skip
async def test_a_letter_before_the_number_tells_loan_and_savings_apart(bank: Bank, typed: str, kind: str) -> None:
    await bank.active_loan(accountNo="000555")
    await bank.savings(accountNo="000555")
    async with bank.fineract() as fineract:
        found = await find_account(fineract, typed)
    assert (found.kind, found.account_no) == (kind, "000555")


async def test_a_number_that_both_have_is_nobodys_unless_its_kind_is_known(bank: Bank) -> None:
    """SCARS: a wallet is credited by matching digits: the wrong customer gets the money."""
    await bank.active_loan(accountNo="000555")
    await bank.savings(accountNo="000555")
    async with bank.fineract() as fineract:
        with pytest.raises(Conflict) as refused:
            await find_account(fineract, "000555")
        assert (await find_account(fineract, "000555", "savings")).kind == "savings"
    assert refused.value.code == "ambiguous_account"


async def test_an_account_whose_number_begins_with_the_letter_comes_before_the_rule(bank: Bank) -> None:
    await bank.active_loan(accountNo="000555")
    await bank.savings(accountNo="L000555")
    async with bank.fineract() as fineract:
        assert (await find_account(fineract, "L000555")).kind == "savings"


@pytest.mark.parametrize("typed", ["%", "00000009_", "0712345678", "000000091 Wanjiru", "S000000091", "LL000000091"])
async def test_what_is_no_account_number_finds_nobody(bank: Bank, typed: str) -> None:
    """The server's search takes wildcards and knows phones; a payment is never placed by them."""
    client_id = await bank.client(displayName="Wanjiru Achieng", mobileNo="254712345678")
    await bank.active_loan(clientId=client_id, accountNo="000000091")
    async with bank.fineract() as fineract:
        with pytest.raises(NotFound) as refused:
            await find_account(fineract, typed)
    assert refused.value.code == "unknown_account"


# ------------------------------------------------------------------------------------------------- what it may take


@pytest.mark.parametrize(("account", "amount"), [(LOAN, "1000.00"), (LOAN, "0.01"), (SAVINGS, "999999.00")])
def test_an_account_takes_what_it_owes_or_anything_if_it_owes_nothing(account: CustomerAccount, amount: str) -> None:
    placed = place(account, kes(amount), accept_overpayment=False)
    assert (placed.kind, placed.account_id, placed.amount) == (account.kind, 7, kes(amount))
    assert (placed.account_no, placed.client_id, placed.client_name) == ("000000007", 27, "Wanjiru Achieng")


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (LOAN, "overpayment"),
        (replace(LOAN, takes_payments=False), "account_closed"),
        (replace(SAVINGS, takes_payments=False), "account_closed"),
        (replace(SAVINGS, currency="UGX"), "currency_differs"),
    ],
)
def test_what_an_account_does_not_take_is_a_conflict(account: CustomerAccount, code: str) -> None:
    with pytest.raises(Conflict) as refused:
        place(account, kes("1000.01"), accept_overpayment=False)
    assert refused.value.code == code


def test_more_than_a_loan_owes_is_taken_once_somebody_accepts_it() -> None:
    assert place(LOAN, kes("1000.01"), accept_overpayment=True).amount == kes("1000.01")


# ------------------------------------------------------------------------------------------------ an operator's parts


def parts(*amounts: Any) -> tuple[Allocation, ...]:
    """Amounts that a decision could carry even if the API would not let them through."""
    sound = Allocation(kind="loan", account_no="7", amount=kes("1.00"))
    return tuple(sound.model_copy(update={"amount": amount}) for amount in amounts)


def test_parts_that_come_to_the_payment_are_taken() -> None:
    _refuse_wrong_parts(parts(kes("1000.00"), kes("500.00")), kes("1500.00"))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (parts(kes("1000.00"), kes("400.00")), "allocation_sum"),
        (parts(kes("1000.00"), kes("500.01")), "allocation_sum"),
        (parts(), "allocation_sum"),
        (parts(kes("2000.00"), Money(-50_000, "KES")), "allocation_amount"),
        (parts(kes("1500.00"), Money(0, "KES")), "allocation_amount"),
    ],
)
def test_parts_that_are_not_the_payment_are_refused_before_the_first_is_booked(
    wrong: tuple[Allocation, ...], code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _refuse_wrong_parts(wrong, kes("1500.00"))
    assert refused.value.code == code
