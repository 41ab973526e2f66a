"""Workers are killed at each step of a customer's payment (real processes, SIGKILL), and Temporal is away when money comes;
M-Pesa's and Fineract's books judge."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.app import create_app
from api.reach import connect_when_needed
from core.clock import utc_now
from models.messages.collections import AnnouncedPayment
from models.tables.collections import Collection
from models.tables.sagas import SagaRow
from store import collections, incoming, saga_rows
from tests.support.customers import (
    HASTY,
    assert_booked_once,
    assert_nothing_booked,
    booked,
    confirm_path,
    kes,
    lose,
    prompts,
    set_connection,
    sweep,
    waits_for,
)
from tests.support.house import House
from tests.support.lender import SHORTCODE
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

CONFIRMATION: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "golden" / "daraja" / "c2b_masked.json").read_text()
)


@pytest.fixture
async def worker(house: House, desk: MoneyDesk) -> AsyncIterator[WorkerProcess]:
    await house.stop_workers()
    for provider in ("daraja", "fineract"):  # so that a slow call is in a worker's hands until that dies
        await set_connection(desk, provider, patience={"read_seconds": 40})
    worker = WorkerProcess(house)
    worker.start()
    yield worker
    await worker.stop()


async def until_running(house: House, row: SagaRow, activity: str) -> None:
    """Returns while an attempt of this activity is in a worker's hands."""

    async def running() -> bool:
        described = await house.client.get_workflow_handle(row.workflow_id).describe()
        pending = described.raw_description.pending_activities
        return any(p.activity_type.name == activity and p.HasField("last_started_time") for p in pending)

    await eventually(running, timeout=30)


@dataclass
class Payer:
    """One payment that is in the middle of `activity` when the worker dies."""

    activity: str
    phone: str
    loan: dict[str, Any]
    row: Collection


async def ask(house: House, desk: MoneyDesk, number: int, activity: str, *fault: str, **options: Any) -> Payer:
    """A prompt to a payer of its own for a loan of its own, with a fault that is for it alone."""
    phone, loan = f"25471200000{number}", await desk.loan("5000.00")
    if fault:
        operation, action = fault
        match = {"msisdn": phone} if operation.startswith("daraja") else {"loan_id": str(loan["id"])}
        await house.fault(operation, action, match=match, options=options)
    if activity == "payments.claim":
        await desk.payer("pay", phone=phone, after_seconds=2.5)
    return Payer(activity, phone, loan, await desk.collect("1500", loan["accountNo"], phone=phone))


async def hold(house: House, locks: AsyncExitStack, payer: Payer) -> None:
    """The next step that writes to this payment's row stands still."""
    session = await locks.enter_async_context(house.database.transaction())
    assert await saga_rows.lock_living(session, Collection, payer.row.id)


@pytest.mark.slow
async def test_a_worker_killed_at_every_step_books_every_payment_once(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """SCARS: the job sleeps, sends, crashes before completing: a second PIN prompt; posting errors make a second posting."""
    payers = [
        await ask(house, desk, 1, "prompts.send", "daraja.stk.send", "slow", seconds=14),
        await ask(house, desk, 2, "prompts.send", "daraja.stk.send", "timeout_after_execution"),
        await ask(house, desk, 3, "payments.claim"),
        await ask(house, desk, 4, "payments.identify", "fineract.read", "slow", seconds=14),
        await ask(house, desk, 5, "payments.post_part", "fineract.repay", "slow", seconds=14),
        await ask(house, desk, 6, "payments.post_part", "fineract.repay", "timeout_after_commit"),
        await ask(house, desk, 7, "payments.settle", "fineract.repay", "slow", seconds=2),
    ]
    claimed, settled = payers[2], payers[6]
    async with AsyncExitStack() as locks:
        await waits_for(desk, claimed.row, "the payer to answer")
        await hold(house, locks, claimed)
        await until_running(house, settled.row, "payments.post_part")
        await desk.until(settled.row, "posting")
        await hold(house, locks, settled)
        await asyncio.gather(*(until_running(house, payer.row, payer.activity) for payer in payers))
        worker.kill()
    worker.start()

    async def all_ended() -> bool:
        await sweep(house)
        return all(row.ended_at is not None for row in await desk.collections())

    await eventually(all_ended, timeout=60)
    receipts = {one["msisdn"]: one["receipt"] for one in await desk.collected()}
    assert len(await desk.collected()) == len(payers)
    for payer in payers:
        row = await desk.row(payer.row)
        assert (row.stage, row.receipt) == ("completed", receipts[payer.phone]), payer.activity
        assert await booked(desk, payer.loan) == [("1500.00", receipts[payer.phone])], payer.activity
    assert sorted(one["msisdn"] for one in await prompts(desk)) == sorted(payer.phone for payer in payers)
    assert len(await desk.collections()) == len(payers)
    assert await house.cases() == []


@pytest.mark.slow
async def test_a_worker_killed_before_the_prompt_is_written_asks_nobody(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """Nothing can have left: the reference is fenced off, and the step that wakes up late sends nothing."""
    loan = await desk.loan("5000.00")
    async with house.database.transaction() as session:
        await (await session.connection()).execute(text("LOCK TABLE prompts IN EXCLUSIVE MODE"))
        begun = await desk.collect("1500", loan["accountNo"], policy=HASTY)
        await until_running(house, begun, "prompts.send")
        worker.kill()
    worker.start()
    row = await desk.ended(begun, timeout=60)
    assert (row.stage, row.reason_code) == ("failed", "never_sent")
    assert await prompts(desk) == []
    await assert_nothing_booked(desk, loan)


async def test_a_callback_that_comes_while_nobody_works_is_kept_and_delivered(house: House, desk: MoneyDesk) -> None:
    """SCARS: "the event row exists" taken as "the webhook was delivered"."""
    await lose(house, "confirmation")
    await desk.payer("pay", after_seconds=1.5)
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await waits_for(desk, begun, "the payer to answer")
    await house.stop_workers()

    async def stored_and_tried_in_vain() -> bool:
        return await house.undelivered() == [1]

    await eventually(stored_and_tried_in_vain, timeout=20)
    await house.start_workers()
    await sweep(house)
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")
    assert await house.undelivered() == []


async def test_a_confirmation_that_comes_while_nobody_works_is_booked_later(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.c2b.validation", "skip")
    loan = await desk.loan("5000.00")
    await house.stop_workers()
    paid = await desk.paybill("1500", loan["accountNo"])

    async def taken_in() -> bool:
        return len(await desk.incoming()) == 1 and await house.undelivered() == []

    await eventually(taken_in)
    await house.start_workers()
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")


async def test_a_confirmation_that_comes_while_temporal_is_away_waits_in_the_inbox(
    house: House, desk: MoneyDesk
) -> None:
    await lose(house, "confirmation")
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    nowhere = house.settings.temporal.model_copy(update={"port": 9})
    away = await connect_when_needed(house.settings.model_copy(update={"temporal": nowhere}))
    app = create_app(house.settings, database=house.database, client=away)
    body = {
        **CONFIRMATION, "TransID": paid["receipt"], "TransAmount": "1500.00", "BillRefNumber": loan["accountNo"],
        "BusinessShortCode": SHORTCODE,
    }  # fmt: skip
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kivuko.test") as mpesa,
    ):
        answer = await mpesa.post(await confirm_path(desk), json=body)
    assert (answer.status_code, answer.json()["ResultCode"]) == (200, 0)
    assert await house.undelivered() == [1]
    assert await booked(desk, loan) == []
    await sweep(house)
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")
    assert await house.undelivered() == []


async def test_a_crash_between_the_note_of_a_payment_and_its_saga_is_made_good_by_the_sweep(
    house: House, desk: MoneyDesk
) -> None:
    """The collection is written, its workflow was never started, and nobody announces the payment again."""
    await lose(house, "confirmation")
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    await claimed_only(house, desk, paid["receipt"], loan["accountNo"])
    await asyncio.sleep(0.2)
    assert [row.stage for row in await desk.collections()] == ["requested"]
    await sweep(house)
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")


async def claimed_only(house: House, desk: MoneyDesk, receipt: str, reference: str) -> None:
    """What `temporal/money_in.py` commits before it starts the saga."""
    async with house.database.transaction() as session:
        payment = await incoming.record(
            session,
            AnnouncedPayment(
                partner_id=house.partner_id, provider="daraja", external_id=receipt, account=SHORTCODE,
                amount=kes("1500"), reference=reference, happened_at=utc_now(), channel="confirmation",
            ),
        )  # fmt: skip
        row = await collections.of_incoming(session, payment)
        await incoming.claim(session, payment.id, row.workflow_id)
