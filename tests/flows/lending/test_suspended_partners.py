"""A partner that is suspended starts nothing; what runs ends right, whatever stage it stands at."""

from store.platform import partners
from tests.support.house import House
from tests.support.money_in import MoneyDesk


async def suspend(house: House) -> None:
    async with house.database.transaction() as session:
        partner = await partners.get(session, house.partner_id)
        partner.status = "suspended"
        session.add(partner)


async def test_a_loan_that_waited_for_funds_is_paid_and_booked(house: House) -> None:
    await house.spend("990.00")
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")
    await suspend(house)
    await house.fund("2000.00", "late")
    await house.until_stage(started, "completed")


async def test_a_float_purchase_that_waited_for_its_code_ends(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    row = await desk.buy_float("2000.00")
    await desk.until(row, "awaiting_code")
    await suspend(house)
    await desk.confirm(row)
    assert (await desk.ended(row)).stage == "completed"
