"""Many customers pay at once, by paybill and by prompt. Announcements are lost, doubled, late and out of order on two
channels, answers of Fineract are lost, a worker is killed. Each payment is booked once, on the account that it was for.

`KIVUKO_STORM_PAYMENTS=500` is the full storm; the default is a small one for every run of the tests.
"""

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from core.money import Money
from models.tables.platform.traffic import Notification
from tests.support.customers import prompts, pull, sweep, with_prompt
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow

PAYMENTS = int(os.environ.get("KIVUKO_STORM_PAYMENTS", "60"))
LOANS, SAVINGS = 30, 20
AT_ONCE = 20
MINUTES = 10
UNASKED = ("failed", "expired")  # how a prompt ends that no payer answered

STORM = with_prompt(
    query_after=tuple(timedelta(seconds=s) for s in (3, 5, 10, 20)),
    evidence_within=timedelta(seconds=40),
)


@pytest.fixture
async def worker(house: House) -> AsyncIterator[WorkerProcess]:
    await house.stop_workers()
    worker = WorkerProcess(house)
    worker.start()
    yield worker
    await worker.stop()


async def test_a_storm_books_every_payment_exactly_once_on_the_right_account(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    started = time.monotonic()
    accounts = [await desk.loan("900000.00") for _ in range(LOANS)] + [await desk.savings() for _ in range(SAVINGS)]
    await house.rates(
        # Each rate is of what those before it left: 30 % lost, 20 % doubled, 20 % late and so out of order.
        ("daraja.c2b.confirmation", "lose", 0.3),
        ("daraja.c2b.confirmation", "duplicate", 0.2 / 0.7),
        ("daraja.c2b.confirmation", "late", 0.2 / 0.5),
        ("daraja.stk.callback", "lose", 0.3),
        ("daraja.stk.callback", "duplicate", 0.2 / 0.7),
        ("daraja.stk.callback", "late", 0.2 / 0.5),
        ("daraja.c2b.validation", "skip", 0.5),
        ("fineract.repay", "error_500_after_commit", 0.05),
        ("fineract.deposit", "html_502_after_commit", 0.05),
        seconds=2,
    )
    wanted = await pay(desk, accounts)
    paid = time.monotonic()
    await until_all_are_booked(house, desk, worker)
    booked = time.monotonic()

    taken = {one["receipt"]: one for one in await desk.collected()}
    assert len(taken) == PAYMENTS
    expected: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for receipt, one in taken.items():
        account, amount = wanted[one["msisdn"]]
        assert one["amount"] == amount
        expected[account].append((amount, receipt))
    found = await postings(house)
    assert {account: sorted(items) for account, items in expected.items()} == found
    assert sum(len(items) for items in found.values()) == PAYMENTS

    rows = {row.workflow_id: row for row in await desk.collections()}
    incoming = await desk.incoming()
    assert {one.external_id for one in incoming} == set(taken)
    assert all(rows[one.claimed_by or ""].receipt == one.external_id for one in incoming)
    stages = Counter(row.stage for row in rows.values())
    assert stages["completed"] == PAYMENTS
    assert set(stages) <= {"completed", *UNASKED}
    asked = Counter(one["msisdn"] for one in await prompts(desk))
    assert set(asked.values()) == {1}
    assert await house.cases() == []
    assert await house.undelivered() == []
    assert await told(house) == PAYMENTS
    pulled = sum(one.announced[0] == "pull" for one in incoming)
    assert pulled > 0
    dealt = (await house.http.get("/faults")).json()["dealt"]
    print(
        f"\n{PAYMENTS} payments ({len(asked)} by prompt) in {paid - started:.0f} s, all booked after "
        f"{booked - started:.0f} s; the pull recovered {pulled}; workers killed: {worker.kills}; faults: {dealt}"
    )


async def pay(desk: MoneyDesk, accounts: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Every customer pays once, one in five by a prompt. Account and amount by the payer's number."""
    dice, at_once = random.Random(7), asyncio.Semaphore(AT_ONCE)
    wanted: dict[str, tuple[str, str]] = {}

    async def one(number: int) -> None:
        phone, account, amount = f"2547110{number:05d}", dice.choice(accounts), dice.randrange(10, 900)
        wanted[phone] = (_name(account), f"{amount}.00")
        # A number that a loan and a savings account share needs its letter.
        typed = f"{'L' if 'principal' in account else 'S'}{account['accountNo']}"
        async with at_once:
            if number % 5 == 0:
                await desk.collect(str(amount), typed, phone=phone, policy=STORM)
            else:
                assert (await desk.paybill(str(amount), typed, phone=phone))["accepted"]

    await asyncio.gather(*(one(number) for number in range(PAYMENTS)))
    return wanted


async def until_all_are_booked(house: House, desk: MoneyDesk, worker: WorkerProcess) -> None:
    """What the schedules do, only more often, until no payment waits. A lender asks again whom a prompt never reached: a
    connection or a worker may break before M-Pesa has it, and nobody repeats it then."""
    until, asked_again = time.monotonic() + MINUTES * 60, set[str]()
    while time.monotonic() < until:
        rows = await desk.collections()
        if sum(row.stage == "completed" for row in rows) >= PAYMENTS:
            return
        unpaid = [row for row in rows if row.stage in UNASKED and row.id not in asked_again]
        reached = {one["msisdn"] for one in await prompts(desk)} if unpaid else set()
        for row in unpaid:
            asked_again.add(row.id)
            phone = (row.msisdn or "").lstrip("+")
            if phone not in reached:
                amount = Money(row.amount_minor, row.currency).amount
                await desk.collect(amount, row.account_ref, phone=phone, policy=STORM)
        if worker.kills == 0:
            worker.kill()
            worker.start()
        for work in (pull(desk), sweep(house)):
            with suppress(TimeoutError):  # a killed worker holds it
                await asyncio.wait_for(work, 20)
        await asyncio.sleep(1)
    stages = Counter(row.stage for row in await desk.collections())
    raise AssertionError(f"after {MINUTES} minutes: {dict(stages)}, open cases: {await house.cases()}")


async def postings(house: House) -> dict[str, list[tuple[str, str]]]:
    """Amount and receipt of every repayment and deposit that stands, by account."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path, kind in (("loans", "repayment"), ("savings", "deposit")):
        for account in (await house.http.get(f"/books/{path}")).json():
            items = [t for t in account["transactions"] if t["type"] == kind and not t["reversed"]]
            if items:
                found[_name(account)] = sorted((t["amount"], t["receiptNumber"]) for t in items)
    return found


async def told(house: House) -> int:
    """How many confirmations to customers were written, sent or not."""
    async with house.database.transaction() as session:
        query = select(Notification.key).where(Notification.event == "payment_received")
        return sum(key.endswith(":client:sms") for key in await session.exec(query))


def _name(account: dict[str, Any]) -> str:
    return f"{'loan' if 'principal' in account else 'savings'} {account['accountNo']}"
