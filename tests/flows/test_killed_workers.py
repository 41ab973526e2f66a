"""The worker is killed at each step of the saga (a real process, SIGKILL) and started again; the simulators' books judge."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from temporalio.api.enums.v1 import EventType

from models.messages.disbursements import Swept
from store import disbursements
from temporal.queues import FLOWS_QUEUE
from temporal.starts import Started
from tests.flows.test_loan_disbursement import assert_paid_once
from tests.support.house import House
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow


@pytest.fixture
async def worker(house: House) -> AsyncIterator[WorkerProcess]:
    await house.stop_workers()
    worker = WorkerProcess(house)
    worker.start()
    yield worker
    await worker.stop()


async def until_running(house: House, started: Started, activity: str) -> None:
    """Returns while an attempt of this activity is in a worker's hands."""

    async def running() -> bool:
        pending = (await house.handle(started).describe()).raw_description.pending_activities
        return any(p.activity_type.name == activity and p.HasField("last_started_time") for p in pending)

    await eventually(running, timeout=30)


async def killed_in(house: House, worker: WorkerProcess, activity: str, *, lock_row: bool = False) -> None:
    """Kills the worker while `activity` runs, starts another, and expects the loan to be paid and posted exactly once."""
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    async with AsyncExitStack() as locks:
        if lock_row:
            if activity != "loans.reserve":
                await house.until_stage(started, "posting", timeout=30)
            session = await locks.enter_async_context(house.database.transaction())
            assert await disbursements.lock_living(session, started.disbursement_id)
        await until_running(house, started, activity)
        worker.kill()
    worker.start()
    await assert_paid_once(house, loan_id, await house.result(started, timeout=60))


@pytest.mark.parametrize(
    ("activity", "operation", "action"),
    [
        ("loans.reserve", "fineract.read", "slow"),
        ("payouts.send", "daraja.b2c.send", "slow"),
        ("payouts.send", "daraja.b2c.send", "timeout_after_execution"),
        ("loans.post", "fineract.disburse", "slow"),
        ("loans.post", "fineract.disburse", "timeout_after_commit"),
    ],
)
async def test_a_worker_killed_while_a_provider_is_called(
    house: House, worker: WorkerProcess, activity: str, operation: str, action: str
) -> None:
    """SCARS: the job sleeps, sends, crashes before completing."""
    seconds = {} if "timeout" in action else {"seconds": 0.9}
    await house.fault(operation, action, options=seconds)
    await killed_in(house, worker, activity)


async def test_a_worker_killed_while_it_holds_the_charges(house: House, worker: WorkerProcess) -> None:
    """SCARS: crash between the balance write and the transaction row leaves the books inconsistent."""
    await house.fault("fineract.read", "slow", options={"seconds": 0.5})  # time to take the lock
    await killed_in(house, worker, "loans.reserve", lock_row=True)


async def test_a_worker_killed_before_the_instruction_is_written_sends_under_a_new_reference(
    house: House, worker: WorkerProcess
) -> None:
    """Nothing can have left: the reference is fenced off, and no attempt of the provider's patience is used up."""
    loan_id = await house.approve_loan()
    async with house.database.transaction() as session:
        await (await session.connection()).execute(text("LOCK TABLE payout_attempts IN EXCLUSIVE MODE"))
        started = await house.start(loan_id)
        await until_running(house, started, "payouts.send")
        worker.kill()
    worker.start()
    await assert_paid_once(house, loan_id, await house.result(started, timeout=60))
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a2")


async def test_a_worker_killed_while_it_captures_the_charges(house: House, worker: WorkerProcess) -> None:
    await house.fault("fineract.disburse", "slow", options={"seconds": 0.9})  # time to take the lock
    await killed_in(house, worker, "disbursements.settle", lock_row=True)


async def test_a_callback_that_comes_while_no_worker_lives_is_kept_and_delivered(
    house: House, worker: WorkerProcess
) -> None:
    """SCARS: "the event row exists" taken as "the webhook was delivered"."""
    await house.fault("daraja.b2c.result", "late", options={"seconds": 2})
    await house.fault("daraja.status.answer", "lose", times=100)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)

    async def sent() -> bool:
        history = await house.handle(started).fetch_history()
        done = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        return sum(event.event_type == done for event in history.events) >= 2

    await eventually(sent, timeout=30)
    worker.kill()

    async def stored_and_tried_in_vain() -> bool:
        return await house.undelivered() == [1]

    await eventually(stored_and_tried_in_vain, timeout=20)
    worker.start()

    async def swept() -> bool:
        await house.client.execute_workflow("Sweep", id="sweep-now", task_queue=FLOWS_QUEUE, result_type=Swept)
        return (await house.row(started)).stage == "completed"

    await eventually(swept, timeout=60)
    await assert_paid_once(house, loan_id, await house.result(started))
    await asyncio.sleep(0)
