"""A prompt of which M-Pesa says little: queries, reviews by a person, and commands to cancel."""

import asyncio
from datetime import timedelta

import pytest

from core.money import Money
from tests.support.customers import (
    MANY,
    assert_booked_once,
    assert_nothing_booked,
    booked,
    case_actions,
    lose,
    own_saga,
    prompts,
    pull,
    sweep,
    waits_for,
    with_prompt,
)
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

# What M-Pesa is asked soon after the payer has answered.
SOON = with_prompt(query_after=tuple(timedelta(seconds=step) for step in (0.9, 0.2, 0.2)))


async def test_what_a_query_calls_paid_waits_for_its_receipt_and_the_pull_brings_it(
    house: House, desk: MoneyDesk
) -> None:
    await lose(house, "callback", "confirmation")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"], policy=SOON)
    await desk.until(begun, "in_review")
    assert await case_actions(house, "collection_unknown") == ["paid", "not_paid", "approve", "decline"]
    await assert_nothing_booked(desk, loan)
    await pull(desk, until=1)
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await house.cases() == []


async def test_an_operator_who_names_the_receipt_settles_it_and_the_pull_adds_nothing(
    house: House, desk: MoneyDesk
) -> None:
    await lose(house, "callback", "confirmation")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"], policy=SOON)
    await desk.until(begun, "in_review")
    (taken,) = await desk.collected()
    with pytest.raises(Exception, match="update failed"):
        await desk.resolve(begun, "paid")  # without the receipt
    await desk.resolve(begun, "paid", receipt=taken["receipt"])
    row = await desk.ended(begun)
    await pull(desk)
    await assert_booked_once(desk, row, loan, "1500.00")
    assert len(await desk.collections()) == 1
    assert await house.cases() == []


async def test_an_operator_who_finds_no_payment_ends_it(house: House, desk: MoneyDesk) -> None:
    await lose(house, "callback", "confirmation")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"], policy=SOON)
    await desk.until(begun, "in_review")
    await house.fault("daraja.stk.query", "failed_but_paid", times=MANY)  # asked again, it says no more that he paid
    await desk.resolved_by_two(begun, "not_paid")
    row = await desk.ended(begun)
    assert (row.stage, row.reason_code) == ("failed", "resolved_not_paid")
    assert await booked(desk, loan) == []
    assert await house.cases() == []


async def test_one_failed_answer_to_a_query_is_not_believed(house: House, desk: MoneyDesk) -> None:
    """A query may say “failed” while the payment is in flight."""
    await lose(house, "confirmation")
    await house.fault("daraja.stk.query", "failed_but_paid")
    await house.fault("daraja.stk.callback", "late", options={"seconds": 1.5})
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    await assert_booked_once(desk, row, loan, "1500.00")


async def test_failures_after_a_query_has_said_paid_leave_it_to_a_person(house: House, desk: MoneyDesk) -> None:
    await lose(house, "callback", "confirmation")
    await house.fault("daraja.stk.query", "failed_but_paid", skip=1, times=MANY)
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"], policy=SOON)
    await desk.until(begun, "in_review")
    await pull(desk, until=1)
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")


async def test_repeated_failures_are_believed_and_a_payment_that_turns_up_is_booked(
    house: House, desk: MoneyDesk
) -> None:
    await lose(house, "callback", "confirmation")
    await house.fault("daraja.stk.query", "failed_but_paid", times=MANY)
    loan = await desk.loan("5000.00")
    asked = await desk.ended(await desk.collect("1500", loan["accountNo"], policy=SOON))
    assert (asked.stage, asked.reason_code) == ("failed", "not_paid")
    await pull(desk, until=1)
    (taken,) = await desk.collected()
    await assert_booked_once(desk, await own_saga(desk, taken["receipt"]), loan, "1500.00")


# ------------------------------------------------------------------------------------------------- cancelled in flight


async def test_cancelled_before_anybody_was_asked(house: House, desk: MoneyDesk) -> None:
    await house.stop_workers()
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await house.client.get_workflow_handle(begun.workflow_id).cancel()
    await house.start_workers()
    row = await desk.ended(begun)
    assert (row.stage, row.reason_code) == ("withdrawn", "cancelled")
    assert await prompts(desk) == []


async def test_a_cancel_that_comes_with_the_start_prompts_nobody(house: House, desk: MoneyDesk) -> None:
    await house.stop_workers()
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    cancelling = asyncio.create_task(desk.cancel(begun))
    await asyncio.sleep(0.3)  # it lies at the server beside the start
    await house.start_workers()
    await cancelling
    row = await desk.ended(begun)
    assert (row.stage, row.reason_code) == ("withdrawn", "cancelled")
    assert await prompts(desk) == []


async def test_a_payment_that_comes_with_the_start_asks_nobody(house: House, desk: MoneyDesk) -> None:
    """The customer paid under the code before the prompt was made."""
    await house.fault("daraja.c2b.validation", "skip")
    await house.stop_workers()
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await desk.paybill("1500", str(begun.payer_reference))
    await eventually(lambda: desk.incoming())
    await asyncio.sleep(0.3)  # it lies at the server beside the start
    await house.start_workers()
    await sweep(house)
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await prompts(desk) == []


async def test_cancelled_while_m_pesa_cannot_be_reached(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.token", "down", times=MANY)
    loan = await desk.loan("5000.00")
    policy = with_prompt(resend_after=(timedelta(seconds=5),))
    begun = await desk.collect("1500", loan["accountNo"], policy=policy)
    await waits_for(desk, begun, "nobody was asked yet")
    await desk.cancel(begun)
    row = await desk.ended(begun)
    assert (row.stage, row.reason_code) == ("withdrawn", "cancelled")
    assert await prompts(desk) == []


async def test_cancelling_while_the_payer_thinks_does_not_interrupt_the_payment(house: House, desk: MoneyDesk) -> None:
    await desk.payer("pay", after_seconds=1.2)
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await waits_for(desk, begun, "the payer to answer")
    with pytest.raises(Exception, match="update failed"):
        await desk.cancel(begun)
    await house.client.get_workflow_handle(begun.workflow_id).cancel()
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert Money(begun.amount_minor, begun.currency) == Money.parse("1500", "KES")
