"""Loans are paid out and customers pay in, half of the callbacks are lost, and everything that can die does: the workers,
the API, PostgreSQL and Temporal are killed or stand still, sagas are reset. Each loan is paid and posted once, each payment
booked once.

`KIVUKO_STORM_LOANS=250 KIVUKO_STORM_PAYMENTS=250 KIVUKO_STORM_HITS=30` is the full storm (`make storm`); the default is a
small one for every run of the tests.
"""

import asyncio
import os
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from inbound.lending.loan_disbursement import start_disbursement
from models.messages.housekeeping import Swept
from models.messages.saga.policies import DisbursementPolicy, PayoutPolicy
from models.tables.lending.loan_disbursement import Disbursement
from store.saga import saga_rows
from temporal.queues import FLOWS_QUEUE
from tests.storms.installation import AWAY, Installation, again, running
from tests.support.customers import pull
from tests.support.deciding import decide
from tests.support.money_in import MoneyDesk

pytestmark = pytest.mark.slow

LOANS = int(os.environ.get("KIVUKO_STORM_LOANS", "12"))
PAYMENTS = int(os.environ.get("KIVUKO_STORM_PAYMENTS", "12"))
HITS = int(os.environ.get("KIVUKO_STORM_HITS", "5"))
SEED = int(os.environ.get("KIVUKO_STORM_SEED", "8"))
MINUTES = 4 if LOANS <= 30 else 40
BETWEEN_HITS = max(4.0, 1.2 * LOANS / HITS)  # seconds: over most of the storm
AT_ONCE = 10

STORM = DisbursementPolicy(
    payout=PayoutPolicy(
        resend_after=tuple(timedelta(seconds=s) for s in (0.5, 1, 2, 5)),
        query_after=tuple(timedelta(seconds=s) for s in (3, 4, 5, 8, 10, 15, 20, 30)),
        answer_within=timedelta(seconds=5),
        attempt_again_after=(timedelta(seconds=1), timedelta(seconds=2)),
        send_within=timedelta(seconds=6),
        settlement_window=timedelta(seconds=2),
        case_after=timedelta(seconds=20),
    ),
    read_again_every=timedelta(seconds=2),
    post_for=timedelta(minutes=10),
    post_again_every=timedelta(seconds=5),
)


async def test_everything_is_paid_and_posted_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    began = time.monotonic()
    folder: Path = tmp_path_factory.mktemp("s")
    async with running(folder, SEED, lambda part, text: print(f"{part}: {text}")) as installation:
        house = installation.house
        desk = MoneyDesk(house)
        await house.rates(
            ("daraja.b2c.result", "lose", 0.5),
            ("daraja.b2c.result", "duplicate", 0.2),
            ("daraja.b2c.send", "timeout_after_execution", 0.05),
            ("daraja.c2b.confirmation", "lose", 0.5),
            ("daraja.c2b.confirmation", "duplicate", 0.2),
        )
        phones = [f"2547110{number:05d}" for number in range(LOANS)]
        loans = {await house.approve_loan("1250.00", phone=phone): phone for phone in phones}
        savings = [await desk.savings() for _ in range(5)]
        blows = asyncio.create_task(strike(installation))
        try:
            await asyncio.gather(*(request(installation, loan_id) for loan_id in loans), pay(desk, savings))
            await until_done(installation, desk, loans, blows)
        finally:
            blows.cancel()
        paid = Counter(str(payout["msisdn"]) for payout in await house.payouts())
        assert paid == Counter(phones)
        for loan_id in loans:
            assert len(await house.postings(loan_id)) == 1, f"loan {loan_id}"
        assert all(row.stage == "completed" for row in (await last_rounds(installation)).values())
        taken = {one["receipt"]: one["amount"] for one in await desk.collected()}
        assert len(taken) == PAYMENTS
        assert sorted(taken.items()) == sorted(await booked(installation))
        await again(house.assert_books_balance)
        print(
            f"\n{LOANS} loans and {PAYMENTS} payments, once each, in {time.monotonic() - began:.0f} s under "
            f"{installation.hits.total()} hits: {dict(installation.hits)}"
        )


async def strike(installation: Installation) -> None:
    """Blow after blow, with time in between for what was killed to stand up again."""
    while installation.hits.total() < HITS:
        await asyncio.sleep(installation.dice.uniform(0.5, 1.5) * BETWEEN_HITS)
        with suppress(*AWAY):
            await asyncio.wait_for(hit(installation), 30)


async def hit(installation: Installation) -> None:
    sagas = [row.workflow_id for row in (await last_rounds(installation)).values()]
    sagas += [row.workflow_id for row in await MoneyDesk(installation.house).collections()]
    await installation.hit(sagas)


async def request(installation: Installation, loan_id: int) -> None:
    await again(partial(installation.house.start, loan_id, STORM, source="poll"))


async def pay(desk: MoneyDesk, savings: list[dict[str, Any]]) -> None:
    """Every customer pays once. What M-Pesa's validation question meets while we are away is accepted, as Safaricom does."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        account = savings[number % len(savings)]["accountNo"]
        async with at_once:
            answer = await desk.paybill(f"{100 + number}", f"S{account}", phone=f"2547220{number:05d}")
            assert answer["accepted"]

    await asyncio.gather(*(one(number) for number in range(PAYMENTS)))


async def until_done(
    installation: Installation, desk: MoneyDesk, loans: dict[int, str], blows: asyncio.Task[None]
) -> None:
    """What the schedules do, only more often, and what two operators do with payouts that never reached M-Pesa."""
    until = time.monotonic() + MINUTES * 60
    while time.monotonic() < until:
        if blows.done():
            await blows  # whatever ended them too early fails the test
        with suppress(*AWAY):
            await asyncio.wait_for(operate(installation, loans), 60)
        for work in (partial(sweep, installation), partial(pull, desk)):
            with suppress(*AWAY, WorkflowFailureError):  # one that met a dead database is left to the next
                await asyncio.wait_for(work(), 20)
        with suppress(*AWAY):
            rows = await last_rounds(installation)
            payments = await booked(installation)
            done = sum(row.stage == "completed" for row in rows.values())
            print(f"{done} of {LOANS} loans, {len(payments)} of {PAYMENTS} payments, {installation.hits.total()} hits")
            if done == LOANS and len(payments) >= PAYMENTS and installation.hits.total() >= HITS:
                return
        await asyncio.sleep(2)
    stages = Counter(row.stage for row in (await again(partial(last_rounds, installation))).values())
    raise AssertionError(f"after {MINUTES} minutes: {dict(stages)}, cases {await again(installation.house.cases)}")


async def operate(installation: Installation, loans: dict[int, str]) -> None:
    """A payout that a blow stopped before M-Pesa had it: two people look at M-Pesa's portal and agree, and pay anew."""
    house = installation.house
    paid = Counter(str(payout["msisdn"]) for payout in await house.payouts())
    for row in (await last_rounds(installation)).values():
        if paid[loans[row.loan_id]]:
            continue
        if row.stage in ("in_review", "approval"):
            with suppress(Exception):  # too early to say, or overtaken: looked at again in the next round
                if row.stage == "in_review":
                    await decide(house.client, house.database, row.workflow_id, "not_paid", by="amina")
                await decide(house.client, house.database, row.workflow_id, "approve", by="brian")
        elif row.ended_at is not None and row.stage == "failed":
            await start_disbursement(
                house.client, house.database, partner_id=house.partner_id, loan_id=row.loan_id, source="api",
                requested_by="amina", policy=STORM, agreed=True,
            )  # fmt: skip


async def sweep(installation: Installation) -> None:
    """What the schedule does every 30 seconds; one that a killed worker holds is left behind."""
    await installation.house.client.execute_workflow(
        "Sweep", id=f"sweep/{time.monotonic_ns()}", task_queue=FLOWS_QUEUE, result_type=Swept
    )


async def last_rounds(installation: Installation) -> dict[int, Disbursement]:
    house = installation.house
    last: dict[int, Disbursement] = {}
    async with house.database.transaction() as session:
        for row in await saga_rows.page(session, Disbursement, partner_id=house.partner_id, limit=4 * LOANS):
            if row.loan_id not in last or row.round > last[row.loan_id].round:
                last[row.loan_id] = row
    return last


async def booked(installation: Installation) -> list[tuple[str, str]]:
    """Receipt and amount of every deposit that stands in the core bank."""
    accounts = (await installation.house.http.get("/books/savings")).json()
    return [
        (one["receiptNumber"], one["amount"])
        for account in accounts
        for one in account["transactions"]
        if one["type"] == "deposit" and not one["reversed"]
    ]
