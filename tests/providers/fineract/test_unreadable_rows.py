"""A row of Fineract's that cannot be read is set aside and counted; it hides no other and stops nothing."""

from decimal import Decimal
from typing import Any

import pytest

from core.money import Money
from providers.fineract.account_shapes import hits_of, payments_of
from providers.fineract.paging import read_all_by_id
from providers.fineract.rows import readable
from providers.fineract.shapes import loan_of, product_of
from providers.repayments import CustomerAccount
from tests.simulators.fineract.bank import Bank, golden

ODD: list[dict[str, Any]] = [
    {"approvedPrincipal": "12996.675"},
    {"currency": {"code": "XXX"}},
    {"currency": None},
    {"status": {"id": 200}},
    {"loanProductId": "one"},
    {"timeline": {"approvedOnDate": [10**30, 1, 1]}},
    {"timeline": "yesterday"},
]


@pytest.mark.parametrize("change", ODD)
async def test_a_loan_that_cannot_be_read_is_counted_and_hides_no_other(bank: Bank, change: dict[str, Any]) -> None:
    loans = await bank.loans(5)
    await bank.fault("fineract.loans.list", "odd_row", times=9, options={"loan_id": loans[2], "set": change})
    async with bank.fineract() as fineract:
        seen = await fineract.approved_loans(page=3)
        again = await fineract.approved_loans(page=3)
    assert [loan.loan_id for loan in seen.loans] == [loan for loan in loans if loan != loans[2]]
    [odd] = seen.unreadable
    assert (odd.row_id, odd.why[-1]) == (loans[2], ".")
    assert again.unreadable == [odd]


@pytest.mark.parametrize("place", [0, 1, 2, 4])
@pytest.mark.parametrize("odd", [{"id": None}, "nothing", {"id": "91"}])
async def test_a_row_without_an_id_stops_no_paging_wherever_it_stands(place: int, odd: Any) -> None:
    rows: list[Any] = [{"id": number} for number in range(1, 6)]
    rows.insert(place, odd)

    async def fetch(offset: int, limit: int) -> list[Any]:
        return rows[offset : offset + limit]

    read = await read_all_by_id(fetch, 2)
    assert sorted(read, key=str) == sorted(rows, key=str)


async def test_an_approved_loan_of_a_server_that_sends_all_is_told_apart_from_odd_ones_of_other_states(
    bank: Bank,
) -> None:
    active, approved = await bank.active_loan(), await bank.loan()
    await bank.fault("fineract.loans.list", "ignores_status")
    async with bank.fineract() as fineract:
        assert [loan.loan_id for loan in (await fineract.approved_loans()).loans] == [approved]
    await bank.fault("fineract.loans.list", "odd_row", options={"loan_id": active, "set": {"currency": None}})
    async with bank.fineract() as fineract:
        assert (await fineract.approved_loans()).unreadable == []


def test_odd_transactions_and_instalments_leave_the_loan_readable() -> None:
    row = golden("loan_row")
    ours = {"id": 1, "type": {"id": 1}, "amount": Decimal("9"), "externalId": "kvk-d-1"}
    transactions = [
        "x",
        {"id": "2", "type": {"id": 1}},
        {"type": None},
        {**ours, "id": 3, "amount": Decimal("9.123")},
        ours,
    ]
    periods = ["x", {"period": 1, "dueDate": "soon"}, {"period": 2, "dueDate": [2028, 2, 29]}]
    loan = loan_of(row | {"transactions": transactions, "repaymentSchedule": {"periods": periods}})
    assert [(item.transaction_id, item.external_id) for item in loan.disbursals] == [(3, "kvk-d-1"), (1, "kvk-d-1")]
    assert str(loan.next_repayment_on) == "2028-02-29"


def test_odd_products_hits_and_payments_hide_no_others() -> None:
    product = {"id": 1, "name": "Boda", "currency": {"code": "KES"}}
    rows = readable([product, {"id": 2}, "x", {**product, "id": 3, "currency": {"code": "XXX"}}], product_of)
    assert ([found.product_id for found in rows.found], len(rows.unreadable)) == ([1], 3)
    hit = {"entityType": "LOAN", "entityId": 7, "entityAccountNo": "000000007"}
    assert [found.account_id for found in hits_of(["x", {"entityType": "LOAN", "entityId": "8"}, hit])] == [7]
    account = CustomerAccount("loan", 7, "000000007", None, 1, "-", "loanStatusType.active", True, "KES")
    paid = {"id": 5, "type": {"id": 2}, "amount": Decimal("10"), "date": [2028, 2, 29]}
    odd = [{**paid, "amount": Decimal("10.001")}, {**paid, "date": None}, {"type": 2}, "x"]
    [payment] = payments_of(account, [*odd, paid])
    assert payment.amount == Money(1000, "KES")
