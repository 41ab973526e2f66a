"""The paths of money in and of float that golden histories are kept of."""

from typing import Final

from core.money import Money
from models.messages.saga.decisions import Allocation
from tests.golden.story import Story
from tests.support.house import House
from tests.support.money_in import MoneyDesk


async def paid_at_the_paybill(house: House, desk: MoneyDesk) -> str:
    paid = await desk.paybill("1500", (await desk.loan())["accountNo"])
    return (await desk.of_receipt(paid["receipt"])).workflow_id


async def prompt_answered(house: House, desk: MoneyDesk) -> str:
    return (await desk.collect("1500", (await desk.loan())["accountNo"])).workflow_id


async def prompt_not_sent(house: House, desk: MoneyDesk) -> str:
    return (await desk.collect("1500", "999999999")).workflow_id


async def prompt_refused(house: House, desk: MoneyDesk) -> str:
    await desk.payer("cancel")
    return await prompt_answered(house, desk)


async def payment_placed_by_an_operator(house: House, desk: MoneyDesk) -> str:
    loan = await desk.loan()
    await house.fault("daraja.c2b.validation", "skip")
    await desk.paybill("1500", "999999999")
    (row,) = await desk.wait_for_collections(1)
    await desk.until(row, "waiting_account")
    part = Allocation(kind="loan", account_no=loan["accountNo"], amount=Money.parse("1500.00", "KES"))
    await desk.resolve(row, "allocate", allocations=[part])
    return row.workflow_id


async def top_up_by_bank_transfer(house: House, desk: MoneyDesk) -> str:
    row = await desk.top_up("2500.00")
    await desk.until(row, "waiting_money")
    await desk.deposit("2500.00", str(row.reference))
    return row.workflow_id


async def credit_placed_by_two(house: House, desk: MoneyDesk) -> str:
    await desk.deposit("700.00", "no code")
    (row,) = await desk.wait_for_top_ups(1)
    await desk.until(row, "unallocated")
    await desk.resolve(row, "allocate", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_ben")
    return row.workflow_id


async def float_bought(house: House, desk: MoneyDesk) -> str:
    await house.fund("5000.00", "float")
    row = await desk.buy_float()
    await desk.confirm(row)
    return row.workflow_id


async def float_goes_back(house: House, desk: MoneyDesk) -> str:
    await house.fault("bank.float", "refuse")
    return await float_bought(house, desk)


async def float_withdrawn(house: House, desk: MoneyDesk) -> str:
    await house.fund("5000.00", "float")
    row = await desk.buy_float()
    await desk.code_of(row)
    await desk.cancel(row)
    return row.workflow_id


STORIES: Final[dict[str, Story]] = {
    "customer-collection-paybill": paid_at_the_paybill,
    "customer-collection-looked-first": prompt_answered,
    "customer-collection-not-asked": prompt_not_sent,
    "customer-collection-refused": prompt_refused,
    "customer-collection-placed": payment_placed_by_an_operator,
    "wallet-top-up-completed": top_up_by_bank_transfer,
    "wallet-top-up-allocated": credit_placed_by_two,
    "float-purchase-completed": float_bought,
    "float-purchase-returned": float_goes_back,
    "float-purchase-withdrawn": float_withdrawn,
}
