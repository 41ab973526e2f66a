"""Whose payment is it? What a machine must not guess becomes a case; an operator decides, and the saga goes on."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from core.money import Money
from models.messages.saga.decisions import Allocation
from models.tables.lending.customer_collection import Collection
from tests.support.customers import (
    MANY,
    allocate,
    assert_booked_once,
    booked,
    case_actions,
    kes,
    set_connection,
    unplaced,
    until_case,
)
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually


async def lost_payment(desk: MoneyDesk, amount: str = "1500", reference: str = "999999") -> Collection:
    """A payment to an account that nobody has, which M-Pesa was told to accept."""
    await set_connection(desk, "daraja", reject_unknown_accounts=False)
    paid = await desk.paybill(amount, reference)
    row = await unplaced(desk, "unknown_account")
    assert row.receipt == paid["receipt"]
    return row


def part(kind: str, account: dict[str, str], amount: str, **more: bool) -> Allocation:
    return Allocation.model_validate({"kind": kind, "account_no": account["accountNo"], "amount": kes(amount), **more})


async def test_an_unknown_account_waits_for_an_operator_and_goes_on(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    row = await lost_payment(desk)
    assert await case_actions(house, "payment_unplaced") == ["allocate", "returned"]
    assert await booked(desk, loan) == []

    async def lender_was_told() -> bool:
        texts = [m["text"] for m in await house.messages()]
        return any("could not be booked" in text and str(row.receipt) in text for text in texts)

    await eventually(lender_was_told)
    with pytest.raises(Exception, match="update failed"):
        await desk.resolve(row, "posted")
    with pytest.raises(Exception, match="update failed"):
        await allocate(desk, row)  # without accounts
    await allocate(desk, row, part("loan", loan, "1500"))
    await assert_booked_once(desk, await desk.ended(row), loan, "1500.00")
    assert await house.cases() == []


async def test_one_receipt_over_several_accounts(house: House, desk: MoneyDesk) -> None:
    loan, second, account = await desk.loan("1000.00"), await desk.loan("2000.00"), await desk.savings()
    row = await lost_payment(desk, "1500")
    await allocate(desk, row, part("loan", loan, "1000"), part("savings", account, "300"), part("loan", second, "200"))
    done = await desk.ended(row)
    assert done.stage == "completed"
    assert await booked(desk, loan) == [("1000.00", done.receipt)]
    assert await booked(desk, account) == [("300.00", f"{done.receipt}-2")]
    assert await booked(desk, second) == [("200.00", f"{done.receipt}-3")]
    external_ids = [item["externalId"] for one in (loan, second) for item in await desk.repayments(one)]
    assert external_ids == [f"mpesa-{done.receipt}", f"mpesa-{done.receipt}-3"]
    assert [(one["account_no"], one["amount_minor"]) for one in done.allocations] == [
        (loan["accountNo"], 100_000), (account["accountNo"], 30_000), (second["accountNo"], 20_000),
    ]  # fmt: skip


async def test_parts_that_cannot_be_booked_as_they_are_leave_the_saga_waiting(house: House, desk: MoneyDesk) -> None:
    """Each is refused before the first part of it is booked."""
    loan, account = await desk.loan("5000.00"), await desk.savings()
    row = await lost_payment(desk, "1500")

    def costing(amount: Money) -> Allocation:
        return part("savings", account, "500").model_copy(update={"amount": amount})

    for wrong in (kes("400"), Money(50_000, "UGX")):  # the parts are not the payment: the decision itself is refused
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await allocate(desk, row, part("loan", loan, "1000"), costing(wrong))
        assert getattr(refused.value.cause, "type", None) == "allocation_sum"
    for code, parts in {
        "allocation_amount": (part("loan", loan, "2000"), costing(Money(-50_000, "KES"))),
        "allocation_twice": (part("loan", loan, "1000"), part("loan", loan, "500")),
        "unknown_account": (part("loan", {"accountNo": "888888"}, "1500"),),
        "overpayment": (part("loan", await desk.loan("100.00"), "1500"),),
    }.items():
        await allocate(desk, row, *parts)
        await unplaced(desk, code)
        assert await booked(desk, loan) == []
        assert await booked(desk, account) == []
    await allocate(desk, row, part("loan", loan, "1000"), part("savings", account, "500"))
    done = await desk.ended(row)
    assert await booked(desk, loan) == [("1000.00", done.receipt)]
    assert await booked(desk, account) == [("500.00", f"{done.receipt}-2")]
    assert await house.cases() == []


async def test_an_operator_who_gave_the_money_back_ends_it(house: House, desk: MoneyDesk) -> None:
    row = await lost_payment(desk)
    await desk.resolve(row, "returned")
    done = await desk.ended(row)
    assert (done.stage, done.allocations) == ("returned", [])
    assert await house.cases() == []


async def test_a_payment_cannot_be_cancelled_once_it_has_come_in(house: House, desk: MoneyDesk) -> None:
    row = await lost_payment(desk)
    with pytest.raises(Exception, match="update failed"):
        await desk.cancel(row)
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    account = await desk.savings()
    await allocate(desk, row, part("savings", account, "1500"))
    await assert_booked_once(desk, await desk.ended(row), account, "1500.00")


async def test_an_account_that_was_opened_meanwhile_is_found_by_looking_again(house: House, desk: MoneyDesk) -> None:
    row = await lost_payment(desk, reference="000777")
    loan = await desk.loan("5000.00", accountNo="000777")
    await desk.retry(row)
    await assert_booked_once(desk, await desk.ended(row), loan, "1500.00")
    assert await house.cases() == []


# -------------------------------------------------------------------------------------------- loans and savings accounts


async def test_a_number_that_a_loan_and_a_savings_account_share_is_a_persons_to_decide(
    house: House, desk: MoneyDesk
) -> None:
    """SCARS: a wallet is credited by matching digits: the wrong customer gets the money."""
    loan, account = await desk.loan("5000.00", accountNo="000555"), await desk.savings(accountNo="000555")
    paid = await desk.paybill("1500", "000555")
    assert paid["accepted"]  # somebody has it
    row = await unplaced(desk, "ambiguous_account")
    await allocate(desk, row, part("savings", account, "1500"))
    await assert_booked_once(desk, await desk.ended(row), account, "1500.00")
    assert await booked(desk, loan) == []


# More ways to type it: tests/activities/lending/test_placing.py.
@pytest.mark.parametrize(("typed", "kind"), [("l-000555", "loan")])
async def test_a_letter_before_the_number_tells_loan_and_savings_apart(
    house: House, desk: MoneyDesk, typed: str, kind: str
) -> None:
    loan, account = await desk.loan("5000.00", accountNo="000555"), await desk.savings(accountNo="000555")
    paid = await desk.paybill("1500", typed)
    assert paid["accepted"], paid
    meant, other = (loan, account) if kind == "loan" else (account, loan)
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), meant, "1500.00")
    assert await booked(desk, other) == []


async def test_an_external_id_is_as_good_as_a_number(house: House, desk: MoneyDesk) -> None:
    account = await desk.savings(externalId="MEMBER-17")
    paid = await desk.paybill("1500", "MEMBER-17")
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), account, "1500.00")


@pytest.mark.parametrize("typed", ["%"])  # what else is none: tests/activities/lending/test_placing.py
async def test_what_is_no_account_number_finds_nobody(house: House, desk: MoneyDesk, typed: str) -> None:
    """The server's search takes wildcards and knows phones; a payment is never placed by them."""
    loan = await desk.loan("5000.00", accountNo="000000091")
    row = await lost_payment(desk, reference=typed)
    assert row.account_ref == typed
    assert await booked(desk, loan) == []


# --------------------------------------------------------------------------------------- accounts that do not take it


async def test_a_closed_loan_is_a_case_and_the_money_may_go_to_savings(house: House, desk: MoneyDesk) -> None:
    loan, account = await desk.loan("1000.00"), await desk.savings()
    first = await desk.paybill("1000", loan["accountNo"])
    await desk.of_receipt(first["receipt"])
    assert (await house.loan(loan["id"]))["status"] == "closed"
    again = await desk.paybill("1000", loan["accountNo"])
    row = await unplaced(desk, "account_closed")
    await allocate(desk, row, part("savings", account, "1000"))
    assert (await desk.ended(row)).stage == "completed"
    assert await booked(desk, account) == [("1000.00", again["receipt"])]
    assert await booked(desk, loan) == [("1000.00", first["receipt"])]


@pytest.mark.parametrize("accept", [True, False])
async def test_an_overpayment_is_booked_only_if_an_operator_accepts_it(
    house: House, desk: MoneyDesk, accept: bool
) -> None:
    loan, account = await desk.loan("1000.00"), await desk.savings()
    paid = await desk.paybill("1500", loan["accountNo"])
    row = await unplaced(desk, "overpayment")
    assert await booked(desk, loan) == []
    if accept:
        await allocate(desk, row, part("loan", loan, "1500", accept_overpayment=True))
        await assert_booked_once(desk, await desk.ended(row), loan, "1500.00")
        assert (await house.loan(loan["id"]))["status"] == "overpaid"
    else:
        await allocate(desk, row, part("loan", loan, "1000"), part("savings", account, "500"))
        assert (await desk.ended(row)).stage == "completed"
        assert await booked(desk, loan) == [("1000.00", paid["receipt"])]
        assert (await house.loan(loan["id"]))["status"] == "closed"


# ------------------------------------------------------------------------------------------------------ Fineract is down


async def test_fineract_down_while_looking_up_is_a_case_and_goes_on_by_itself(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    await house.fault("fineract.search", "down", times=MANY)
    begun = await desk.collect("1500", loan["accountNo"])
    await until_case(house, "core_banking_down")
    assert (await house.http.delete("/faults")).status_code == 204
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await house.cases() == []


async def test_a_word_of_fineract_that_says_nothing_is_no_account_that_nobody_has(
    house: House, desk: MoneyDesk
) -> None:
    loan = await desk.loan("5000.00")
    await house.fault("daraja.c2b.validation", "skip")
    await house.fault("fineract.search", "html")
    paid = await desk.paybill("1500", loan["accountNo"])
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")
    assert "place:unknown_account" not in await desk.timeline(await desk.of_receipt(paid["receipt"]))
