"""Many loans at once under lost, doubled and timed-out answers while the worker is killed again and again.

`KIVUKO_STORM_LOANS=200 KIVUKO_STORM_KILLS=10` is the full storm; the default is a small one for every run of the tests.
"""

import asyncio
import os
from collections import Counter
from datetime import timedelta

import pytest

from models.messages.disbursements import Swept
from models.messages.policies import DisbursementPolicy, PayoutPolicy
from store import cases, disbursements
from temporal.queues import FLOWS_QUEUE
from tests.support.house import House
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow

LOANS = int(os.environ.get("KIVUKO_STORM_LOANS", "30"))
KILLS = int(os.environ.get("KIVUKO_STORM_KILLS", "2"))
MINUTES = 10

STORM = DisbursementPolicy(
    payout=PayoutPolicy(
        resend_after=tuple(timedelta(seconds=s) for s in (0.5, 1, 2, 5, 10, 10, 10)),
        ask_after=tuple(timedelta(seconds=s) for s in (3, 4, 5, 8, 10, 15, 20, 30)),
        answer_within=timedelta(seconds=5),
        attempt_again_after=(timedelta(seconds=1), timedelta(seconds=2)),
    ),
    read_again_every=timedelta(seconds=2),
    post_for=timedelta(seconds=60),
    post_again_every=timedelta(seconds=5),
)


async def test_a_storm_pays_and_posts_every_loan_exactly_once(house: House) -> None:
    await house.fund("100000.00", "storm")
    await house.stop_workers()
    worker = WorkerProcess(house)
    await house.rates(
        ("daraja.b2c.result", "lose", 0.5),
        ("daraja.b2c.result", "duplicate", 0.2),  # of the half that is not lost: a tenth of all
        ("daraja.b2c.send", "timeout_after_execution", 0.1),
    )
    loans = [await house.approve_loan("1250.00", phone=f"2547110{n:05d}") for n in range(LOANS)]
    worker.start()
    started = await asyncio.gather(*(house.start(loan_id, STORM, source="poll") for loan_id in loans))

    ended = Counter[str]()
    for tick in range(MINUTES * 60):
        await asyncio.sleep(1)
        async with house.database.transaction() as session:
            rows = await disbursements.page(session, partner_id=house.partner_id, limit=2 * LOANS)
        ended = Counter("ended" if row.ended_at or row.stage == "in_review" else "living" for row in rows)
        if ended["ended"] == LOANS and worker.kills >= KILLS:
            break
        if worker.kills < KILLS and tick % 6 == 5:
            worker.kill()
            worker.start()
        if tick % 5 == 4:
            await asyncio.wait_for(sweep(house, tick), 30)
    await worker.stop()

    payouts = Counter(payout["msisdn"] for payout in await house.payouts())
    reviewed = 0
    async with house.database.transaction() as session:
        open_cases = {case.workflow_id: case for case in await cases.page(session, state="open", limit=5 * LOANS)}
    for number, (loan_id, one) in enumerate(zip(loans, started, strict=True)):
        row = await house.row(one)
        phone = f"2547110{number:05d}"
        assert payouts[phone] <= 1, f"loan {loan_id} was paid {payouts[phone]} times"
        if row.stage == "completed":
            assert payouts[phone] == 1
            assert len(await house.postings(loan_id)) == 1
        else:
            reviewed += 1
            assert row.stage == "in_review", f"loan {loan_id} is {row.stage}: {row.reason}"
            assert open_cases[row.workflow_id].evidence["reference"]
    assert sum(payouts.values()) == sum(1 for _ in await house.payouts())
    assert reviewed <= LOANS // 10
    await house.assert_books_balance()


async def sweep(house: House, tick: int) -> None:
    """What the schedule does every 30 seconds; a sweep that a killed worker held is left behind."""
    try:
        await asyncio.wait_for(
            house.client.execute_workflow(
                "Sweep", id=f"sweep-{house.partner_id}-{tick}", task_queue=FLOWS_QUEUE, result_type=Swept
            ),
            20,
        )
    except TimeoutError:
        return
