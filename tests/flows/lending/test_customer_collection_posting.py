"""The lender has the money: Fineract books it once, whatever Fineract does, and a person is told if it does not."""

import pytest

from models.messages.saga.decisions import Allocation
from models.tables.lending.customer_collection import Collection
from tests.support.customers import (
    MANY,
    assert_booked_once,
    booked,
    case_actions,
    customer_texts,
    kes,
    until_case,
    until_texts,
    waits_for,
)
from tests.support.house import PHONE, House
from tests.support.money_in import MoneyDesk

AFTER = ("timeout_after_commit", "error_500_after_commit", "html_502_after_commit")
BEFORE = ("error_500_before", "locked", "still_processing_425", "conflict_409")


async def collected(desk: MoneyDesk, reference: str) -> Collection:
    """A prompted payment of 1,500: its policy is the tests', unlike that of a paybill payment."""
    return await desk.ended(await desk.collect("1500", reference))


async def paid_off_meanwhile(desk: MoneyDesk) -> Collection:
    """A prompted payment of 1,500 for a loan that another payment closes while the payer thinks."""
    loan = await desk.loan("1500.00")
    await desk.payer("pay", after_seconds=1.2)
    begun = await desk.collect("1500", loan["accountNo"])
    await waits_for(desk, begun, "the payer to answer")
    other = await desk.paybill("1500", loan["accountNo"], phone="254722000999")
    await desk.of_receipt(other["receipt"])
    return begun


@pytest.mark.parametrize("action", [*AFTER, *BEFORE])
async def test_trouble_with_a_repayment_books_it_once(house: House, desk: MoneyDesk, action: str) -> None:
    """SCARS: every posting error is caught and the job completed; webhook and poller both pay one loan."""
    await house.fault("fineract.repay", action)
    loan = await desk.loan("5000.00")
    row = await collected(desk, loan["accountNo"])
    await assert_booked_once(desk, row, loan, "1500.00")
    (item,) = await desk.repayments(loan)
    assert item["externalId"] == f"mpesa-{row.receipt}"
    assert await house.cases() == []


@pytest.mark.parametrize("action", [*AFTER, "error_500_before", "conflict_409"])
async def test_trouble_with_a_deposit_books_it_once(house: House, desk: MoneyDesk, action: str) -> None:
    """Most servers take no external id here: the receipt tells it apart."""
    await house.fault("fineract.deposit", action)
    account = await desk.savings()
    await assert_booked_once(desk, await collected(desk, account["accountNo"]), account, "1500.00")
    assert await house.cases() == []


async def test_an_account_that_cannot_be_read_again_leaves_a_booked_payment_booked_once(
    house: House, desk: MoneyDesk
) -> None:
    await house.fault("fineract.repay", "timeout_after_commit")
    await house.fault("fineract.accounts", "down", skip=2, times=2)  # the two looks after the doubtful answer
    loan = await desk.loan("5000.00")
    await assert_booked_once(desk, await collected(desk, loan["accountNo"]), loan, "1500.00")


async def test_a_refusal_becomes_a_case_and_goes_on_by_itself_when_mended(house: House, desk: MoneyDesk) -> None:
    """A failure is sticky under its Idempotency-Key: the next try must use a new one."""
    code = "error.msg.client.not.active.exception"
    await house.fault("fineract.repay", "refuse", options={"status": 403, "code": code})
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await desk.until(begun, "post_review")
    assert await case_actions(house, "post_failed") == ["posted", "retry"]
    assert await booked(desk, loan) == []
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await house.cases() == []


async def test_maker_checker_is_not_taken_for_booked_and_a_person_may_say_it_is(house: House, desk: MoneyDesk) -> None:
    await house.fault("fineract.repay", "maker_checker", times=MANY)
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    row = await desk.until(begun, "post_review")
    assert row.reason_code == "awaiting_checker"
    assert await booked(desk, loan) == []
    with pytest.raises(Exception, match="update failed"):
        await desk.resolve(begun, "allocate")
    await desk.resolve(begun, "posted", transaction_id=77)
    done = await desk.ended(begun)
    assert done.stage == "completed"
    assert [(one["transaction_id"], one["by_hand"]) for one in done.allocations] == [(77, True)]
    assert await house.cases() == []


async def test_a_loan_that_is_paid_off_in_cash_meanwhile_waits_for_a_person(house: House, desk: MoneyDesk) -> None:
    await house.fault("fineract.repay", "closed_by_person_first")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    row = await desk.until(begun, "post_review")
    assert row.reason_code == "account_closed"
    await until_case(house, "post_failed")
    assert [amount for amount, _ in await booked(desk, loan)] == ["5000.00"]  # the cash
    await desk.resolve(begun, "posted")
    assert (await desk.ended(begun)).stage == "completed"
    assert [amount for amount, _ in await booked(desk, loan)] == ["5000.00"]


async def test_the_second_part_is_tried_again_without_the_first(house: House, desk: MoneyDesk) -> None:
    first, second = await desk.loan("1000.00"), await desk.loan("2000.00")
    await house.fault(
        "fineract.repay", "refuse", match={"loan_id": str(second["id"])}, options={"status": 403, "code": "error.msg.x"}
    )
    begun = await paid_off_meanwhile(desk)
    await desk.until(begun, "waiting_account")
    parts = [
        Allocation(kind="loan", account_no=loan["accountNo"], amount=kes(amount))
        for loan, amount in ((first, "1000"), (second, "500"))
    ]
    await desk.resolve(begun, "allocate", allocations=parts)
    await desk.until(begun, "post_review")
    assert [amount for amount, _ in await booked(desk, first)] == ["1000.00"]
    done = await desk.ended(begun)
    assert done.stage == "completed"
    assert await booked(desk, first) == [("1000.00", done.receipt)]
    assert await booked(desk, second) == [("500.00", f"{done.receipt}-2")]


async def test_customer_and_lender_are_told_what_was_booked_and_what_is_left(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    row = await collected(desk, loan["accountNo"])
    (text,) = await until_texts(house, 1)
    for words in ("KES 1,500.00", loan["accountNo"], str(row.receipt), "Still to pay: KES 3,500.00"):
        assert words in text


@pytest.mark.parametrize("answers", [True, False])
async def test_the_customer_is_told_although_fineract_does_not_give_the_phone_at_once(
    house: House, desk: MoneyDesk, answers: bool
) -> None:
    """The owner of the account where it is found out in a few attempts, else whoever paid."""
    await house.fault("fineract.read", "down", times=2 if answers else MANY, match={"what": "client"})
    loan = await desk.loan("5000.00")
    payer = "254722000999"
    row = await desk.ended(await desk.collect("1500", loan["accountNo"], phone=payer))
    await assert_booked_once(desk, row, loan, "1500.00")
    (text,) = await until_texts(house, 1, phone=PHONE if answers else payer)
    assert str(row.receipt) in text
    assert await customer_texts(house, payer if answers else PHONE) == []
