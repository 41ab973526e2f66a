"""Every saga is reset to every one of its workflow tasks, while it waits and after its end: the money moves once.

SCARS: a reset in the Temporal UI paid the client a second time under a new reference.
"""

import asyncio

import pytest

from models.messages.saga.decisions import CommandTaken, RetryNow
from models.tables.saga.saga_row import SagaRow
from store.platform import partners
from tests.support.bank_books import BOUGHT, THERE, assert_bought, funded_purchase, movements
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.resets import completed_tasks, first_run, reset
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


async def reset_to_everywhere(house: House, workflow_id: str) -> int:
    """Resets an ended saga to each task of its first run, and lets each new run come to its end."""
    run = await first_run(house.client, workflow_id)
    points = await completed_tasks(house.client, workflow_id, run)
    for point in points:
        new = await reset(house.client, workflow_id, run, point)
        await asyncio.wait_for(house.client.get_workflow_handle(workflow_id, run_id=new).result(), 60)
    return len(points)


async def test_a_paid_loan_that_is_reset_is_paid_and_posted_once(house: House) -> None:
    loan_id, result = await house.disburse()
    assert result.ending == "completed"
    row = await house.only_disbursement()
    assert await reset_to_everywhere(house, row.workflow_id) > 3
    assert len(await house.payouts()) == len(await house.postings(loan_id)) == 1
    await house.assert_books_balance()


async def test_a_loan_whose_payout_waits_for_its_report_is_reset_and_paid_once(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose", times=100)
    await house.fault("daraja.status.answer", "lose", times=1000)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "in_review")
    run = await first_run(house.client, started.workflow_id)
    for point in await completed_tasks(house.client, started.workflow_id, run):
        await reset(house.client, started.workflow_id, run, point)

        async def sent_or_asked() -> bool:
            legs = (await house.status(started)).legs
            return bool(legs) and legs[0].attempts == 1

        await eventually(sent_or_asked)
        assert len(await house.payouts()) == 1
    assert (await house.http.delete("/faults")).status_code < 300
    await house.until_stage(started, "in_review")
    await house.handle(started).execute_update("retry", RetryNow(actor="key_1"), id="ask", result_type=CommandTaken)
    assert (await house.result(started)).ending == "completed"
    (payout,) = await house.payouts()
    (posting,) = await house.postings(loan_id)
    assert posting["receiptNumber"] == payout["receipt"]
    await house.assert_books_balance()


@pytest.mark.parametrize("held_back", ["blocked", "unreachable"])
async def test_a_cancelled_saga_that_is_reset_pays_nothing_beside_the_next_one(house: House, held_back: str) -> None:
    """It ended before anything left, perhaps before anything was written, and has forgotten that somebody cancelled it."""
    loan_id = await house.approve_loan()
    if held_back == "blocked":
        await set_status(house, "blocked")
    else:
        await house.fault("daraja.token", "down", times=1000)
    first = await house.start(loan_id)

    async def waits() -> bool:
        return "nothing was sent yet" in ((await house.status(first)).waiting_for or "")

    await eventually(waits)
    await house.handle(first).execute_update(
        "cancel_request", RetryNow(actor="key_1"), id="c", result_type=CommandTaken
    )
    assert (await house.result(first)).code == "cancelled"
    await house.http.delete("/faults")
    await set_status(house, "ok")
    # The next one is paid, and its callback is lost: the loan still looks payable.
    await house.fault("daraja.b2c.result", "lose", times=100)
    await house.fault("daraja.status.answer", "lose", times=1000)
    second = await house.start(loan_id, agreed=True)
    assert second.workflow_id != first.workflow_id
    await house.until_stage(second, "in_review")
    run = await first_run(house.client, first.workflow_id)
    for point in await completed_tasks(house.client, first.workflow_id, run):
        new = await reset(house.client, first.workflow_id, run, point, forget_updates=True)
        await asyncio.wait_for(house.client.get_workflow_handle(first.workflow_id, run_id=new).result(), 60)
        assert len(await house.payouts()) == 1


async def set_status(house: House, status: str) -> None:
    async with house.database.transaction() as session:
        row = await partners.connection(session, house.partner_id, "daraja")
        row.status = status
        session.add(row)


async def test_a_loan_in_two_tries_that_is_reset_is_paid_once(house: House) -> None:
    """The first reference failed and the second paid: a saga that forgot both finds both in our rows."""
    await house.fault("daraja.b2c.send", "refuse", options={"code": "1"})
    loan_id, result = await house.disburse()
    assert result.ending == "completed"
    row = await house.only_disbursement()
    await reset_to_everywhere(house, row.workflow_id)
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a2")
    assert len(await house.postings(loan_id)) == 1
    await house.assert_books_balance()


async def test_a_float_purchase_that_is_reset_moves_the_money_once(house: House, desk: MoneyDesk) -> None:
    row = await desk.ended(await funded_purchase(house, desk))
    assert await reset_to_everywhere(house, row.workflow_id) > 4
    assert sorted(await movements(house)) == sorted([THERE, BOUGHT])
    await assert_bought(house, desk, await desk.row(row))


async def test_a_customers_payment_that_is_reset_is_booked_once(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    row: SagaRow = await desk.ended(await desk.collect("500.00", str(loan["accountNo"])))
    assert row.stage == "completed"
    assert await reset_to_everywhere(house, row.workflow_id) > 3
    assert len(await desk.repayments(loan)) == 1


async def test_a_top_up_that_is_reset_is_credited_once(house: House, desk: MoneyDesk) -> None:
    row = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    await desk.deposit("2500.00", str(row.reference))
    row = await desk.ended(row)
    assert await reset_to_everywhere(house, row.workflow_id) > 1
    assert str((await house.wallet()).available) == "KES 3,500.00"
    await desk.assert_books_agree()
