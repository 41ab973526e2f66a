"""The paths of a disbursement that golden histories are kept of."""

from typing import Final

from tests.golden.story import Story
from tests.support.house import House
from tests.support.money_in import MoneyDesk


async def goes_well(house: House, desk: MoneyDesk) -> str:
    started = await house.start(await house.approve_loan())
    return started.workflow_id


async def loses_the_callback(house: House, desk: MoneyDesk) -> str:
    await house.fault("daraja.b2c.result", "lose")
    return await goes_well(house, desk)


async def needs_a_second_attempt(house: House, desk: MoneyDesk) -> str:
    await house.fault("daraja.b2c.send", "refuse", options={"code": "1"})
    return await goes_well(house, desk)


async def fails(house: House, desk: MoneyDesk) -> str:
    await house.fault("daraja.b2c.send", "refuse", options={"code": "2040"})
    return await goes_well(house, desk)


async def is_reviewed(house: House, desk: MoneyDesk) -> str:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "in_review")
    (payout,) = await house.payouts()
    await house.resolve(started, "paid", receipt=payout["receipt"])
    return started.workflow_id


async def waits_for_funds(house: House, desk: MoneyDesk) -> str:
    await house.spend("990.00")
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")
    await house.fund("500.00", "top-up")
    return started.workflow_id


async def cannot_be_posted(house: House, desk: MoneyDesk) -> str:
    options = {"status": 403, "code": "error.msg.client.not.active.exception"}
    await house.fault("fineract.disburse", "refuse", options=options)
    return await goes_well(house, desk)


STORIES: Final[dict[str, Story]] = {
    "loan-disbursement-completed": goes_well,
    "loan-disbursement-status-asked": loses_the_callback,
    "loan-disbursement-second-attempt": needs_a_second_attempt,
    "loan-disbursement-failed": fails,
    "loan-disbursement-reviewed": is_reviewed,
    "loan-disbursement-waited-for-funds": waits_for_funds,
    "loan-disbursement-post-review": cannot_be_posted,
}
