"""B2C v1 has no reference of ours: callbacks are matched by their address, and a lost acknowledgement waits for a person."""

from tests.flows.lending.test_loan_disbursement import assert_paid_once
from tests.support.house import House


async def test_v1_pays_and_matches_the_callback_by_its_address(house: House) -> None:
    await house.use_b2c_v1()
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_a_lost_callback_on_v1_is_asked_for_by_m_pesas_own_id(house: House) -> None:
    await house.use_b2c_v1()
    await house.fault("daraja.b2c.result", "lose")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_a_lost_acknowledgement_and_callback_on_v1_wait_for_a_person(house: House) -> None:
    await house.use_b2c_v1()
    await house.fault("daraja.b2c.send", "timeout_after_execution")
    await house.fault("daraja.b2c.result", "lose")
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "in_review")
    assert len(await house.payouts()) == 1
    assert await house.cases() == ["payout_unknown"]
