"""Polling: every approved loan of an enabled product gets one saga, however often and from wherever it is seen."""

from models.messages.housekeeping import Swept
from models.messages.lending.loan_watch import LoansWatched, WatchLoans
from store.lending import loan_disbursement
from temporal.queues import FLOWS_QUEUE
from tests.support.house import House
from tests.support.waiting import eventually


async def poll(house: House, name: str) -> LoansWatched:
    watched: LoansWatched = await house.client.execute_workflow(
        "LoanWatch",
        WatchLoans(partner_id=house.partner_id),
        id=f"watch/{house.partner_id}/{name}",
        task_queue=FLOWS_QUEUE,
        result_type=LoansWatched,
    )
    return watched


async def paid(house: House, count: int) -> None:
    async def all_paid() -> bool:
        return len(await house.payouts()) == count

    await eventually(all_paid, timeout=30)


async def test_a_poll_starts_each_enabled_loan_once(house: House) -> None:
    for number in range(6):
        await house.approve_loan("900.00", phone=f"25471100000{number}")
    other = await house.approve_loan("900.00", productId=2)
    first = await poll(house, "1")
    assert (first.seen, first.started, first.product_unknown) == (7, 6, 1)
    second = await poll(house, "2")
    assert second.started == 0
    await paid(house, 6)
    assert (await house.loan(other))["status"] == "approved"
    assert (await poll(house, "3")).started == 0
    assert len(await house.payouts()) == 6


async def test_an_ended_loan_is_not_started_again_by_polling(house: House) -> None:
    loan_id, result = await house.disburse(phone=None)
    assert result.code == "invalid_msisdn"
    assert (await poll(house, "1")).started == 0
    again = await house.start(loan_id)  # a person may
    assert again.created


async def test_a_claim_whose_saga_never_started_is_started_by_the_sweep(house: House) -> None:
    """SCARS: an event row that nobody acts on. The process died between claiming the loan and starting its saga."""
    loan_id = await house.approve_loan()
    async with house.database.transaction() as session:
        await loan_disbursement.claim(
            session,
            partner_id=house.partner_id,
            loan_id=loan_id,
            currency="KES",
            source="poll",
            requested_by="test",
            again_after=frozenset(),
        )
    await house.age_claims()
    swept: Swept = await house.client.execute_workflow(
        "Sweep", id=f"sweep/{house.partner_id}", task_queue=FLOWS_QUEUE, result_type=Swept
    )
    assert swept.started == 1
    await paid(house, 1)


async def test_a_claim_whose_saga_never_started_is_started_by_the_next_poll(house: House) -> None:
    loan_id = await house.approve_loan()
    async with house.database.transaction() as session:
        await loan_disbursement.claim(
            session,
            partner_id=house.partner_id,
            loan_id=loan_id,
            currency="KES",
            source="hook",
            requested_by="test",
            again_after=frozenset(),
        )
    await poll(house, "1")
    await paid(house, 1)
