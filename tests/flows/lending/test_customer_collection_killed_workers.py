"""Workers die at every line of a customer payment's books and in the middle of every call (real processes, SIGKILL), the
database's answers are lost at every line, Temporal is away when money comes; M-Pesa's and Fineract's books judge."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from core.clock import utc_now
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.tables.lending.customer_collection import Collection
from store.database import Database
from store.lending import customer_collection
from store.saga import incoming
from tests.support.bank_books import until_running
from tests.support.customers import (
    HASTY,
    assert_booked_once,
    booked,
    confirm_path,
    kes,
    lose,
    prompts,
    sweep,
    waits_for,
)
from tests.support.cut_wire import wire_to
from tests.support.gates import gates_of
from tests.support.house import House, door_without_temporal
from tests.support.lender import SHORTCODE
from tests.support.money_in import QUICK_COLLECTION, MoneyDesk, confirmation
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess


@dataclass
class Payer:
    """One payer with a loan of their own, by whose phone and number faults are told apart."""

    what: str
    phone: str
    loan: dict[str, Any]
    row: Collection
    ends: str = "completed"


async def payer(
    house: House, desk: MoneyDesk, what: str, *fault: str, ends: str = "completed", **options: Any
) -> Payer:
    """A prompt that is not asked for yet, with a fault that is for it alone."""
    number = len(await desk.collections()) + 1
    phone, loan = f"2547120000{number:02}", await desk.loan("5000.00")
    if fault:
        operation, action = fault
        match = {"msisdn": phone} if operation.startswith("daraja") else {"loan_id": str(loan["id"])}
        await house.fault(operation, action, match=match, options=options)
    return Payer(what, phone, loan, await desk.collection_row("1500", loan["accountNo"], phone=phone), ends)


# The lines of a prompted payment: 1 requested, 2 prompt told, 3 received, 4 booked, 5 completed.
LINES, PROMPT_TOLD = range(2, 6), 2


@pytest.mark.slow
async def test_a_worker_killed_everywhere_books_every_payment_once(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """SCARS: the job sleeps, sends, crashes before completing: a second PIN prompt; posting errors make a second posting.
    Where nothing was written nothing can have left: that prompt is fenced off, and whoever wakes up late sends nothing."""
    await house.patience(40)  # so that a call that is not answered is in a worker's hands until that dies
    gated = [
        await payer(house, desk, f"line {line}", ends="failed" if line == PROMPT_TOLD else "completed")
        for line in LINES
    ]
    called = [
        (await payer(house, desk, "prompt taken", "daraja.stk.send", "timeout_after_execution"), "prompts.send"),
        (await payer(house, desk, "posting taken", "fineract.repay", "timeout_after_commit"), "payments.post_part"),
        (await payer(house, desk, "prompting", "daraja.stk.send", "slow", seconds=8), "prompts.send"),
        (await payer(house, desk, "posting", "fineract.repay", "slow", seconds=8), "payments.post_part"),
    ]
    payers = [*gated, *(one for one, _ in called)]
    async with gates_of(house) as gates:
        for one, line in zip(gated, LINES, strict=True):
            await gates.shut(one.row.workflow_id, line)
            await desk.start(one.row, QUICK_COLLECTION)
        worker.start()
        await gates.reached(*(one.row.workflow_id for one in gated))
        for one, activity in called:
            await desk.start(one.row, QUICK_COLLECTION)
            await until_running(house, one.row, activity)
        worker.kill()
    worker.start()
    await assert_every_payment_booked_once(house, desk, payers)


@pytest.mark.slow
async def test_the_database_answers_no_commit_and_every_payment_is_booked_once(house: House, desk: MoneyDesk) -> None:
    """What a step wrote is there, and the worker does not know it. Where the lost line is "prompt told", nobody was asked,
    and nobody is asked again."""
    await house.stop_workers()
    payers: list[Payer] = []
    async with wire_to(house.database.url) as wire, gates_of(house) as gates:
        through_wire = Database(wire.url)
        await house.start_workers(through_wire)
        for line in LINES:
            one = await payer(house, desk, f"line {line}", ends="expired" if line == PROMPT_TOLD else "completed")
            payers.append(one)
            await gates.shut(one.row.workflow_id, line, "commit")
            await desk.start(one.row, HASTY if line == PROMPT_TOLD else QUICK_COLLECTION)
            await gates.reached(one.row.workflow_id)
            wire.cut()
            await gates.open(one.row.workflow_id)
            await desk.ended(one.row)
        await assert_every_payment_booked_once(house, desk, payers)
        await house.stop_workers()
        await through_wire.close()


async def assert_every_payment_booked_once(house: House, desk: MoneyDesk, payers: list[Payer]) -> None:
    """By M-Pesa's books, by Fineract's and by ours; whoever was not asked paid nothing."""

    async def all_ended() -> bool:
        await sweep(house)
        return all(row.ended_at is not None for row in await desk.collections())

    await eventually(all_ended, timeout=60)
    paid = [one for one in payers if one.ends == "completed"]
    receipts = {one["msisdn"]: one["receipt"] for one in await desk.collected()}
    assert len(await desk.collected()) == len(receipts) == len(paid)
    for one in payers:
        row = await desk.row(one.row)
        assert (row.stage, row.receipt) == (one.ends, receipts.get(one.phone)), one.what
        assert await booked(desk, one.loan) == ([("1500.00", receipts[one.phone])] if one in paid else []), one.what
    assert sorted(one["msisdn"] for one in await prompts(desk)) == sorted(one.phone for one in paid)
    assert len(await desk.collections()) == len(payers)
    assert await house.cases() == []


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
    body = {
        **confirmation(), "TransID": paid["receipt"], "TransAmount": "1500.00", "BillRefNumber": loan["accountNo"],
        "BusinessShortCode": SHORTCODE,
    }  # fmt: skip
    async with door_without_temporal(house) as mpesa:
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
    """What `inbound/money_in.py` commits before it starts the saga."""
    async with house.database.transaction() as session:
        payment = await incoming.record(
            session,
            AnnouncedPayment(
                partner_id=house.partner_id, provider="daraja", external_id=receipt, account=SHORTCODE,
                amount=kes("1500"), reference=reference, happened_at=utc_now(), channel="confirmation",
            ),
        )  # fmt: skip
        row = await customer_collection.of_incoming(session, payment)
        await incoming.claim(session, payment.id, row.workflow_id)
