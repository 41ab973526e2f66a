"""Loans that wait for their lender's float: served in the order of request, whoever dies, cancels or pays in meanwhile."""

import asyncio
from datetime import UTC, datetime

import pytest

from activities.lending.waiting_loans import stand_in_line
from activities.saga.funds import grant
from core.clock import utc_now
from core.errors import InsufficientFunds
from core.money import Money
from inbound.lending.loan_disbursement import Started
from ledger import chart
from models.messages.saga.decisions import CommandTaken, RetryNow
from models.tables.platform.partner import Partner
from models.tables.platform.tariff_band import TariffBand
from store.platform import partners
from store.saga import funds_waits
from tests.flows.lending.test_loan_disbursement_reserving import set_product
from tests.support.house import House
from tests.support.waiting import eventually
from workers.funds import FundsLine

SMALL, LARGE = "900.00", "12500.00"  # charges of KES 17.00 and 23.00


@pytest.fixture
async def poor(house: House) -> House:
    """With nothing in the wallet."""
    await house.spend("1000.00")
    return house


async def waiting(house: House, *principals: str) -> list[Started]:
    """One loan of each amount, requested in this order, all waiting."""
    loans = [await house.start(await house.approve_loan(principal)) for principal in principals]
    for loan in loans:
        await house.until_stage(loan, "waiting_funds")
    return loans


async def line_stopped(house: House) -> None:
    """As if the process that grants and tells had died."""
    assert house.line is not None
    house.line.cancel()
    await asyncio.wait([house.line])


def line_starts(house: House) -> None:
    house.line = asyncio.create_task(FundsLine(house.database, house.client).run())


async def granted(house: House) -> int:
    async with house.database.transaction() as session:
        return await grant(session, house.partner_id, "KES")


async def dearer_messages(house: House) -> None:
    """KES 10.00 instead of 2.00, for this partner."""
    band = TariffBand(
        partner_id=house.partner_id, charge="sms", currency="KES", from_minor=0, to_minor=10**12, fee_minor=1000,
        valid_from=datetime(2024, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    async with house.database.transaction() as session:
        session.add(band)


async def cancel(house: House, loan: Started) -> None:
    command = RetryNow(actor="key_1")
    await house.handle(loan).execute_update("cancel_request", command, id="c1", result_type=CommandTaken)


async def test_money_goes_to_the_first_that_it_is_enough_for(poor: House) -> None:
    large, small, last = await waiting(poor, LARGE, SMALL, SMALL)
    await poor.fund("20.00", "one")  # not enough for the first, and for one of the others only
    assert (await poor.result(small)).ending == "completed"
    assert [(await poor.row(loan)).stage for loan in (large, last)] == ["waiting_funds", "waiting_funds"]
    await poor.fund("27.00", "two")  # 30 by now: enough for the first or the last
    assert (await poor.result(large)).ending == "completed"
    assert (await poor.row(last)).stage == "waiting_funds"
    assert (await poor.wallet()).available == Money.parse("7.00", "KES")
    await poor.assert_books_balance()


async def test_a_loan_that_comes_later_does_not_overtake_those_that_wait(poor: House) -> None:
    (first,) = await waiting(poor, SMALL)
    await line_stopped(poor)
    await poor.fund("20.00", "one")
    later = await poor.start(await poor.approve_loan(SMALL))
    await poor.until_stage(later, "waiting_funds")
    line_starts(poor)
    assert (await poor.result(first)).ending == "completed"
    assert (await poor.row(later)).stage == "waiting_funds"


async def test_money_that_comes_while_nobody_grants_is_granted_afterwards(poor: House) -> None:
    loans = await waiting(poor, SMALL, SMALL)
    await line_stopped(poor)
    await poor.fund("34.00", "one")
    line_starts(poor)
    assert [(await poor.result(loan)).ending for loan in loans] == ["completed", "completed"]
    await poor.assert_books_balance()


async def test_a_death_between_grant_and_telling_loses_nobody(poor: House) -> None:
    loans = await waiting(poor, SMALL, SMALL)
    await line_stopped(poor)
    await poor.fund("34.00", "one")
    assert await granted(poor) == 2
    line_starts(poor)
    assert [(await poor.result(loan)).ending for loan in loans] == ["completed", "completed"]


async def test_a_death_while_telling_only_delays(poor: House) -> None:
    (loan,) = await waiting(poor, SMALL)
    await line_stopped(poor)
    await poor.fund("17.00", "one")
    await granted(poor)
    async with poor.database.transaction() as session:
        assert await funds_waits.due_to_hear(session, at_once=5) == [loan.workflow_id]  # and nobody told it
    line_starts(poor)
    assert (await poor.result(loan)).ending == "completed"


async def test_one_lenders_trouble_holds_up_no_other_line(poor: House) -> None:
    """A place that was kept for an account which is not what its partner's wallet should be: its line fails at every look."""
    (loan,) = await waiting(poor, SMALL)
    await line_stopped(poor)
    async with poor.database.transaction() as session:
        partner = await partners.get(session, poor.partner_id)
        values = {**partner.model_dump(), "id": "prt_00000000000000000000000000", "name": "Broken", "currency": "XXX"}
        session.add(Partner(**values))
        await session.flush()
        await funds_waits.join(
            session, workflow_id="loan-disbursement/broken/1", partner_id=values["id"], account_id="a-line-before-all",
            needed_minor=1, asked_at=utc_now(),
        )  # fmt: skip
    await poor.fund("17.00", "one")
    line_starts(poor)
    assert (await poor.result(loan)).ending == "completed"


async def test_a_saga_that_nobody_tells_takes_its_grant_when_it_looks_by_itself(poor: House) -> None:
    (loan,) = await waiting(poor, SMALL)
    await line_stopped(poor)
    await poor.fund("17.00", "one")
    await granted(poor)
    await poor.retry(loan)
    assert (await poor.result(loan)).ending == "completed"
    await poor.assert_books_balance()


async def test_a_loan_that_is_cancelled_while_it_waits_leaves_its_place(poor: House) -> None:
    first, second = await waiting(poor, SMALL, SMALL)
    await cancel(poor, first)
    assert (await poor.result(first)).ending == "withdrawn"
    await poor.fund("17.00", "one")
    assert (await poor.result(second)).ending == "completed"
    await poor.assert_books_balance()


async def test_what_was_granted_to_a_loan_that_is_cancelled_goes_to_the_next(poor: House) -> None:
    first, second = await waiting(poor, SMALL, SMALL)
    await line_stopped(poor)
    await poor.fund("17.00", "one")
    assert await granted(poor) == 1
    await cancel(poor, first)
    assert (await poor.result(first)).ending == "withdrawn"
    assert (await poor.wallet()).available == Money.parse("17.00", "KES")
    line_starts(poor)
    assert (await poor.result(second)).ending == "completed"
    await poor.assert_books_balance()


async def test_a_grant_in_the_moment_of_the_cancellation_is_given_back(poor: House) -> None:
    first, second = await waiting(poor, SMALL, SMALL)
    await line_stopped(poor)
    await poor.fund("17.00", "one")
    async with poor.database.transaction() as session:
        assert await grant(session, poor.partner_id, "KES") == 1
        await cancel(poor, first)
        with pytest.raises(TimeoutError):
            await poor.result(first, timeout=1)  # its end waits for us
    assert (await poor.result(first)).ending == "withdrawn"
    line_starts(poor)
    assert (await poor.result(second)).ending == "completed"
    await poor.assert_books_balance()


async def test_what_a_refused_loan_was_granted_goes_to_the_next(poor: House) -> None:
    first, second = await waiting(poor, SMALL, SMALL)
    await poor.fineract(f"/loans/{(await poor.row(first)).loan_id}", "undoapproval", {})
    await poor.fund("17.00", "one")
    assert (await poor.result(first)).code == "loan_not_approved"
    assert (await poor.result(second)).ending == "completed"
    await poor.assert_books_balance()


async def test_what_a_failed_payout_gives_back_goes_to_the_next(poor: House) -> None:
    first, second = await waiting(poor, SMALL, SMALL)
    await poor.fault("daraja.b2c.send", "refuse", times=1, options={"code": "2040"})
    await poor.fund("17.00", "one")
    assert (await poor.result(first)).ending == "failed"
    assert (await poor.result(second)).ending == "completed"
    await poor.assert_books_balance()


async def test_top_ups_at_the_same_moment_and_two_that_grant_keep_the_order(poor: House) -> None:
    loans = await waiting(poor, *[SMALL] * 6)
    other = asyncio.create_task(FundsLine(poor.database, poor.client).run())
    await asyncio.gather(*(poor.fund("17.00", f"top-up {number}") for number in range(5)))
    assert [(await poor.result(loan)).ending for loan in loans[:5]] == ["completed"] * 5
    other.cancel()
    assert (await poor.row(loans[5])).stage == "waiting_funds"
    assert (await poor.wallet()).available == Money.zero("KES")
    await poor.assert_books_balance()


async def test_a_loan_that_meets_its_daily_limit_keeps_no_money_from_the_next(house: House) -> None:
    await house.disburse(SMALL)
    await house.spend("983.00")
    limited, other = await waiting(house, LARGE, SMALL)
    await set_product(house, daily_minor=1_300_000)
    await house.fund("23.00", "one")
    await house.until_stage(limited, "waiting_limit")
    assert (await house.result(other)).ending == "completed"
    assert (await house.wallet()).available == Money.parse("6.00", "KES")
    await house.assert_books_balance()


async def test_a_loan_that_costs_more_by_now_waits_again_in_its_old_place(poor: House) -> None:
    first, second = await waiting(poor, SMALL, SMALL)
    await line_stopped(poor)
    await poor.fund("17.00", "one")
    assert await granted(poor) == 1
    await dearer_messages(poor)  # 25 instead of 17
    line_starts(poor)

    async def both_ask_for_more() -> bool:
        async with poor.database.transaction() as session:
            ((_, _, least),) = await funds_waits.least_needed(session)
        return least == 2500 and (await poor.wallet()).available == Money.parse("17.00", "KES")

    await eventually(both_ask_for_more)
    await poor.fund("8.00", "two")
    assert (await poor.result(first)).ending == "completed"
    assert (await poor.row(second)).stage == "waiting_funds"
    await poor.assert_books_balance()


async def test_a_try_that_wakes_up_late_takes_no_place_for_a_saga_that_went_on(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    loan = await house.start(await house.approve_loan(SMALL))
    await house.until_stage(loan, "paying")
    await house.spend("983.00")
    short = InsufficientFunds("The account holds too little.", needed_minor="1700")
    async with house.database.transaction() as session:
        assert not await stand_in_line(session, loan.disbursement_id, short)
        assert not await funds_waits.stands(session, chart.partner_wallet(house.partner_id, "KES").id)
