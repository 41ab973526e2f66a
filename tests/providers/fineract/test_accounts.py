"""Finding customers' accounts by what a customer typed, reading them, and reading single payments."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest, NotAllowed, NotFound, Transient
from core.money import Money
from providers.fineract.account_shapes import account_of, payment_of
from providers.fineract.accounts import plausible
from providers.fineract.shapes import Unreadable
from providers.ports import Exchange
from providers.repayments import AccountKind
from tests.simulators.fineract.bank import KINDS, Bank, disburse_body, noon, payment, today

both_kinds = pytest.mark.parametrize("kind", KINDS)


# ------------------------------------------------------------------------------------------------------------- finding


async def test_a_loan_is_found_by_its_number_and_by_its_external_id_with_what_it_owes(bank: Bank) -> None:
    client_id = await bank.client(displayName="Njeri Kamau")
    loan_id = await bank.active_loan(clientId=client_id, externalId="L-7", outstanding="2500.50")
    async with bank.fineract() as fineract:
        [by_number] = await fineract.find_accounts(f"{loan_id:09d}")
        [by_external_id] = await fineract.find_accounts("L-7")
    assert by_number == by_external_id
    assert (by_number.kind, by_number.account_id, by_number.account_no) == ("loan", loan_id, f"{loan_id:09d}")
    assert (by_number.client_id, by_number.client_name, by_number.external_id) == (client_id, "Njeri Kamau", "L-7")
    assert (by_number.status, by_number.takes_payments) == ("loanStatusType.active", True)
    assert (by_number.outstanding, by_number.balance) == (Money(250_050, "KES"), None)


async def test_a_savings_account_is_found_by_its_number_and_by_its_external_id_with_its_balance(bank: Bank) -> None:
    savings_id = await bank.savings(accountNo="S-000017", externalId="akiba-17", balance="12.30")
    async with bank.fineract() as fineract:
        [by_number] = await fineract.find_accounts("S-000017")
        [by_external_id] = await fineract.find_accounts(" akiba-17 ")
    assert by_number == by_external_id
    assert (by_number.kind, by_number.account_id, by_number.takes_payments) == ("savings", savings_id, True)
    assert (by_number.outstanding, by_number.balance) == (None, Money(1_230, "KES"))


async def test_a_number_that_a_loan_and_a_savings_account_share_finds_both(bank: Bank) -> None:
    loan_id = await bank.active_loan()
    savings_id = await bank.savings(accountNo=f"{loan_id:09d}")
    other_loan = await bank.active_loan(externalId=f"{loan_id:09d}")
    async with bank.fineract() as fineract:
        found = await fineract.find_accounts(f"{loan_id:09d}")
    assert [(account.kind, account.account_id) for account in found] == [
        ("loan", loan_id),
        ("loan", other_loan),
        ("savings", savings_id),
    ]


@pytest.mark.parametrize("action", [None, "ignores_exact"])
async def test_only_exactly_this_number_is_found_although_the_search_is_like(bank: Bank, action: str | None) -> None:
    await bank.active_loan(accountNo="A100", externalId="ext-A1")
    await bank.savings(accountNo="1A10", externalId="a10")
    if action:
        await bank.fault("fineract.search", action, times=10)
    calls: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        calls.append(exchange)

    async with bank.fineract(recorder=keep) as fineract:
        for number in ("A10", "a100", "ext", "EXT-A1", "0"):
            assert await fineract.find_accounts(number) == []
        assert {call.operation for call in calls} == {"accounts.search"}  # no other customer's account was opened
        assert [account.account_no for account in await fineract.find_accounts("A100")] == ["A100"]
        assert [account.account_no for account in await fineract.find_accounts("a10")] == ["1A10"]


async def test_a_search_that_was_cut_short_is_not_taken_for_the_whole(bank: Bank) -> None:
    client_id = await bank.client()
    for number in range(50):
        await bank.savings(clientId=client_id, accountNo=f"X{number:03d}")
    await bank.savings(clientId=client_id, accountNo="X")
    await bank.fault("fineract.search", "ignores_exact")
    async with bank.fineract() as fineract:
        with pytest.raises(Unreadable):
            await fineract.find_accounts("X")
        assert [account.account_no for account in await fineract.find_accounts("X")] == ["X"]


async def test_an_account_that_went_away_after_the_search_is_left_out(bank: Bank) -> None:
    loan_id = await bank.active_loan()
    savings_id = await bank.savings(accountNo=f"{loan_id:09d}")
    await bank.fault("fineract.accounts", "gone", match={"kind": "loan"})
    async with bank.fineract() as fineract:
        [account] = await fineract.find_accounts(f"{loan_id:09d}")
    assert (account.kind, account.account_id) == ("savings", savings_id)


@pytest.mark.parametrize(
    "typed", ["", "  ", "%", "0000%", "00000009_", "a\\%", "12 34", "12\t34", "1" * 51, "1\x00", "1\n2", "\u200b1"]
)
async def test_what_is_no_account_number_finds_nothing_and_asks_nobody(bank: Bank, typed: str) -> None:
    await bank.savings(accountNo="000000091")
    calls: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        calls.append(exchange)

    async with bank.fineract(recorder=keep) as fineract:
        assert await fineract.find_accounts(typed) == []
    assert calls == []


@given(st.text(max_size=60))
def test_a_plausible_number_holds_nothing_that_like_or_a_log_would_trip_over(typed: str) -> None:
    wanted = plausible(typed)
    if wanted is not None:
        assert 0 < len(wanted) <= 50
        assert wanted in typed
        assert wanted.isprintable()
        assert not set(wanted) & set("%_\\ ")


async def test_closed_and_waiting_accounts_are_found_and_say_that_they_take_no_payments(bank: Bank) -> None:
    approved, paid_off = await bank.loan(), await bank.active_loan(outstanding="1500")
    closed, blocked = await bank.savings(status="closed"), await bank.savings(creditsBlocked=True)
    async with bank.fineract() as fineract:
        await fineract.post_payment(payment("loan", paid_off))
        accounts = [await fineract.account("loan", loan_id) for loan_id in (approved, paid_off)]
        accounts += [await fineract.account("savings", savings_id) for savings_id in (closed, blocked)]
        assert [account.account_id for account in await fineract.find_accounts(f"{paid_off:09d}")] == [paid_off]
    assert [account.takes_payments for account in accounts] == [False] * 4
    assert [account.status for account in accounts] == [
        "loanStatusType.approved",
        "loanStatusType.closed.obligations.met",
        "savingsAccountStatusType.closed",
        "savingsAccountStatusType.active",
    ]
    assert [account.outstanding for account in accounts[:2]] == [None, Money(0, "KES")]


async def test_what_a_disbursed_loan_owes_is_what_was_disbursed(bank: Bank) -> None:
    loan_id = await bank.loan()
    assert (await bank.command(loan_id, "disburse", disburse_body(transactionAmount="9000"))).status_code == 200
    async with bank.fineract() as fineract:
        assert (await fineract.account("loan", loan_id)).outstanding == Money(900_000, "KES")


async def test_another_tenants_accounts_are_not_found(bank: Bank) -> None:
    await bank.tenant("faulu")
    await bank.savings(tenant="faulu", accountNo="F-1")
    async with bank.fineract() as fineract:
        assert await fineract.find_accounts("F-1") == []


@pytest.mark.parametrize("action", ["down", "html", "slow"])
@pytest.mark.parametrize("operation", ["fineract.search", "fineract.accounts"])
async def test_a_search_that_brings_nothing_usable_is_transient_and_never_an_empty_list(
    bank: Bank, operation: str, action: str
) -> None:
    await bank.savings(accountNo="000000091")
    await bank.fault(operation, action, options={"seconds": 1})
    async with bank.fineract(patience=0.4) as fineract:
        with pytest.raises(Transient):
            await fineract.find_accounts("000000091")
        assert len(await fineract.find_accounts("000000091")) == 1


async def test_a_search_that_may_not_read_the_account_says_so(bank: Bank) -> None:
    await bank.tenant("default", username="clerk", password="clerk", permissions=["READ_LOAN"])
    await bank.savings(accountNo="000000091")
    async with bank.fineract(username="clerk", password="clerk") as fineract:
        with pytest.raises(NotAllowed):
            await fineract.find_accounts("000000091")


async def test_the_exchange_log_holds_neither_the_number_typed_nor_the_customer(bank: Bank) -> None:
    """Customers type their own phone number as the account."""
    client_id = await bank.client(displayName="Wanjiru Mwangi")
    loan_id = await bank.active_loan(clientId=client_id)
    calls: list[Exchange] = []

    async def keep(exchange: Exchange) -> None:
        calls.append(exchange)

    async with bank.fineract(recorder=keep) as fineract:
        assert await fineract.find_accounts("0733999888") == []
        assert len(await fineract.find_accounts(f"{loan_id:09d}")) == 1
        posted = await fineract.post_payment(payment("loan", loan_id))
        assert posted.transaction_id is not None
        await fineract.recorded_payment("loan", loan_id, posted.transaction_id)
    assert {"accounts.search", "loans.repay", "loans.transaction"} <= {call.operation for call in calls}
    for secret in ("0733999888", "254712000111", "Wanjiru"):
        assert secret not in repr(calls)
    repaid = next(call for call in calls if call.operation == "loans.repay")
    assert repaid.reference == f"mpesa-SFU{loan_id}B2C3D4"


# ------------------------------------------------------------------------------------------------------ single payments


@both_kinds
async def test_a_recorded_payment_is_read_with_its_account(bank: Bank, kind: AccountKind) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment(kind, account_id, paid_at=noon(today() - timedelta(days=1))))
        assert posted.transaction_id is not None
        recorded = await fineract.recorded_payment(kind, account_id, posted.transaction_id)
        assert recorded.account == await fineract.account(kind, account_id)
        assert (await bank.undo_payment(kind, account_id, posted.transaction_id)).status_code == 200
        undone = await fineract.recorded_payment(kind, account_id, posted.transaction_id)
    assert (recorded.transaction_id, recorded.amount) == (posted.transaction_id, Money(150_000, "KES"))
    assert (recorded.paid_on, recorded.receipt) == (today() - timedelta(days=1), f"SFU{account_id}B2C3D4")
    assert recorded.external_id == (f"mpesa-SFU{account_id}B2C3D4" if kind == "loan" else None)
    assert (recorded.reversed, undone.reversed) == (False, True)


async def test_what_is_no_payment_or_on_another_account_is_not_found(bank: Bank) -> None:
    first, second = await bank.active_loan(), await bank.active_loan()
    [disbursal] = await bank.disbursals(first)
    savings_id = await bank.savings()
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment("loan", first))
        assert posted.transaction_id is not None
        wrong: list[tuple[AccountKind, int, int]] = [
            ("loan", first, disbursal["id"]),
            ("loan", second, posted.transaction_id),
            ("loan", 404_404, posted.transaction_id),
            ("savings", savings_id, posted.transaction_id),
        ]
        for kind, account_id, transaction_id in wrong:
            with pytest.raises(NotFound):
                await fineract.recorded_payment(kind, account_id, transaction_id)


# -------------------------------------------------------------------------------------------------------------- shapes

LOAN: dict[str, Any] = {
    "id": 91,
    "accountNo": "000000091",
    "status": {"id": 300, "code": "loanStatusType.active", "active": True},
    "clientId": 27,
    "clientName": "Njeri Kamau",
    "currency": {"code": "KES"},
    "summary": {"totalOutstanding": Decimal("8500.000000")},
}
SAVINGS: dict[str, Any] = LOAN | {
    "status": {"id": 300, "code": "savingsAccountStatusType.active", "active": True},
    "summary": {"accountBalance": Decimal("8500.000000")},
}


@pytest.mark.parametrize(
    ("change", "takes"),
    [
        ({}, True),
        ({"subStatus": {"block": False, "blockCredit": False, "blockDebit": True}}, True),
        ({"subStatus": {"block": True}}, False),
        ({"depositType": {"id": 100}}, True),
        ({"depositType": {"id": 200}}, False),
        ({"status": {"id": 303, "code": "savingsAccountStatusType.transfer.in.progress", "active": False}}, False),
    ],
)
def test_a_savings_account_takes_payments_if_it_is_active_ordinary_and_open_to_credits(
    change: dict[str, Any], takes: bool
) -> None:
    assert account_of("savings", SAVINGS | change).takes_payments is takes


def test_an_amount_that_its_currency_cannot_hold_is_left_out_and_an_unknown_currency_is_refused() -> None:
    ragged = LOAN | {"summary": {"totalOutstanding": Decimal("8500.333333")}}
    assert account_of("loan", ragged).outstanding is None
    with pytest.raises(InvalidRequest):
        account_of("loan", LOAN | {"currency": {"code": "XXX"}})


@pytest.mark.parametrize("body", [None, [], {}, "?", LOAN | {"id": "91"}, LOAN | {"status": None}])
@both_kinds
def test_what_is_no_account_is_unreadable(kind: AccountKind, body: Any) -> None:
    with pytest.raises(Unreadable):
        account_of(kind, body)


def test_a_payment_is_told_by_its_type_and_its_reversal_by_any_of_its_marks() -> None:
    loan, savings = account_of("loan", LOAN), account_of("savings", SAVINGS)
    item: dict[str, Any] = {"id": 5, "type": {"id": 2}, "amount": Decimal("10.000000"), "date": [2026, 6, 29]}
    deposit = item | {"transactionType": {"id": 1}, "reversed": False}
    plain, typed = payment_of(loan, item), payment_of(savings, deposit)
    assert plain is not None
    assert typed is not None
    assert (plain.receipt, plain.reversed, typed.reversed) == (None, False, False)
    for mark in ({"manuallyReversed": True}, {"reversedOnDate": [2026, 6, 30]}, {"reversed": True}):
        marked = payment_of(loan, item | mark)
        assert marked is not None
        assert marked.reversed
    assert payment_of(loan, item | {"type": {"id": 1}}) is None
    assert payment_of(savings, deposit | {"transactionType": {"id": 2}}) is None
    with pytest.raises(Unreadable):
        payment_of(loan, {"id": 5})
