"""Workers die at every line of a disbursement's books and in the middle of every call (real processes, SIGKILL); then the
database's answers are lost at every line. The simulators' books judge."""

import asyncio
from dataclasses import dataclass

import pytest
from temporalio.api.enums.v1 import EventType

from core.money import Money
from inbound.lending.loan_disbursement import Started
from models.messages.housekeeping import Swept
from store.database import Database
from temporal.queues import FLOWS_QUEUE
from tests.flows.lending.test_loan_disbursement import assert_paid_once
from tests.support.cut_wire import wire_to
from tests.support.gates import gates_of
from tests.support.house import House
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow


@dataclass
class Loan:
    """One loan of a borrower of its own, by whose phone and number faults are told apart."""

    what: str
    id: int
    phone: str
    started: Started | None = None

    @property
    def workflow_id(self) -> str:
        assert self.started is not None
        return self.started.workflow_id


async def borrow(house: House, number: int, what: str, *fault: str, **options: float) -> Loan:
    phone = f"2547120000{number:02}"
    loan = Loan(what, await house.approve_loan(phone=phone), phone)
    if fault:
        operation, action = fault
        match = {"msisdn": phone} if operation.startswith("daraja") else {"loan_id": str(loan.id)}
        await house.fault(operation, action, match=match, options=options)
    return loan


# The lines of a disbursement: 1 requested, 2 charges held, 3 payout told, 4 paid, 5 booked and 6 completed.
LINES, PAYOUT_TOLD = range(2, 7), 3


async def test_a_worker_killed_everywhere_pays_and_posts_every_loan_once(house: House, worker: WorkerProcess) -> None:
    """SCARS: the job sleeps, sends, crashes before completing; crash between the balance write and the transaction row."""
    await house.fund("5000.00", "charges")
    await house.patience(40)  # so that a call that is not answered is in a worker's hands until that dies
    gated = [await borrow(house, line, f"line {line}") for line in LINES]
    unanswered = [
        (await borrow(house, 11, "payout taken", "daraja.b2c.send", "timeout_after_execution"), "payouts.send"),
        (await borrow(house, 12, "posting taken", "fineract.disburse", "timeout_after_commit"), "loans.post"),
    ]
    slow = [
        (await borrow(house, 13, "reading", "fineract.read", "slow", seconds=8), "loans.reserve"),
        (await borrow(house, 14, "sending", "daraja.b2c.send", "slow", seconds=8), "payouts.send"),
        (await borrow(house, 15, "posting", "fineract.disburse", "slow", seconds=8), "loans.post"),
    ]
    loans = [*gated, *(loan for loan, _ in (*unanswered, *slow))]
    async with gates_of(house) as gates:
        for loan, line in zip(gated, LINES, strict=True):
            loan.started = await house.start(loan.id)
            await gates.shut(loan.workflow_id, line)
        worker.start()
        await gates.reached(*(loan.workflow_id for loan in gated))
        for loan, activity in (*unanswered, *slow):
            loan.started = await house.start(loan.id)
            await until_running(house, loan, activity)
        worker.kill()
    worker.start()
    for loan in loans:
        assert loan.started is not None
        result = await house.result(loan.started, timeout=60)
        assert result.ending == "completed", (loan.what, result)
    await assert_every_loan_paid_once(house, loans)
    references = {payout["msisdn"]: payout["reference"][-3:] for payout in await house.payouts()}
    # Where nothing was written nothing can have left: the reference is fenced off, and another one is used.
    assert references == {loan.phone: "-a2" if loan.what == "line 3" else "-a1" for loan in loans}


async def test_the_database_answers_no_commit_and_every_loan_is_paid_and_posted_once(house: House) -> None:
    """What a step wrote is there, and the worker does not know it. Where the lost line is "payout told", M-Pesa was told
    nothing: the loan waits for a person, who sees that and starts it again."""
    await house.fund("5000.00", "charges")
    await house.stop_workers()
    async with wire_to(house.database.url) as wire, gates_of(house) as gates:
        through_wire = Database(wire.url)
        loans = []
        for line in LINES:
            loan = await borrow(house, line, f"line {line}")
            loans.append(loan)
            loan.started = await house.start(loan.id)
            await gates.shut(loan.workflow_id, line, "commit")
            await house.start_workers(through_wire)
            await gates.reached(loan.workflow_id)
            wire.cut()
            await gates.open(loan.workflow_id)
            if line == PAYOUT_TOLD:
                loan.started = await told_not_paid_and_started_again(house, loan.started, loan.id)
            result = await house.result(loan.started)
            assert result.ending == "completed", (loan.what, result)
            await house.stop_workers()
        await through_wire.close()
    await assert_every_loan_paid_once(house, loans)


async def told_not_paid_and_started_again(house: House, started: Started, loan_id: int) -> Started:
    await house.until_stage(started, "in_review")
    await house.resolved_by_two(started, "not_paid")
    assert (await house.result(started)).code == "resolved_not_paid"
    return await house.start(loan_id, agreed=True)


async def until_running(house: House, loan: Loan, activity: str) -> None:
    """Returns while an attempt of this activity is in a worker's hands."""
    handle = house.client.get_workflow_handle(loan.workflow_id)

    async def running() -> bool:
        pending = (await handle.describe()).raw_description.pending_activities
        return any(p.activity_type.name == activity and p.HasField("last_started_time") for p in pending)

    await eventually(running)


async def assert_every_loan_paid_once(house: House, loans: list[Loan]) -> None:
    """One payout of the right amount each, one posting with its receipt, the charges of each captured, nothing held."""
    payouts = {payout["msisdn"]: payout for payout in await house.payouts()}
    assert len(await house.payouts()) == len(loans) == len(payouts)
    for loan in loans:
        assert payouts[loan.phone]["amount"] == "12500.00", loan.what
        assert [p["receiptNumber"] for p in await house.postings(loan.id)] == [payouts[loan.phone]["receipt"]], (
            loan.what
        )
    wallet = await house.wallet()
    left = Money(6_000_00 - 23_00 * len(loans), "KES")
    assert (wallet.available, wallet.held) == (left, Money.zero("KES"))
    assert await house.cases() == []
    await house.assert_books_balance()


async def test_a_callback_that_comes_while_no_worker_lives_is_kept_and_delivered(
    house: House, worker: WorkerProcess
) -> None:
    """SCARS: "the event row exists" taken as "the webhook was delivered"."""
    await house.fault("daraja.b2c.result", "late", options={"seconds": 2})
    await house.fault("daraja.status.answer", "lose", times=100)
    worker.start()
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
