"""The worker is killed at the steps of a float purchase (a real process, SIGKILL) and started again: no shilling moves twice,
and the bank's books agree with ours to the cent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from models.tables.wallets import FloatPurchase, OneTimeCode
from tests.support.bank_books import (
    BACK,
    THERE,
    assert_bought,
    assert_given_back,
    funded_purchase,
    only_ncba,
    orders,
    until_running,
    until_waiting,
)
from tests.support.house import House
from tests.support.money_in import QUICK_FLOAT, MoneyDesk
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow

# A dead worker is noticed after ten seconds, so what waits for a person here must be more patient than in other tests.
PATIENT = QUICK_FLOAT.model_copy(update={"confirm_within": timedelta(seconds=90)})


@pytest.fixture
async def worker(house: House) -> AsyncIterator[WorkerProcess]:
    await house.stop_workers()
    worker = WorkerProcess(house)
    worker.start()
    yield worker
    await worker.stop()


@asynccontextmanager
async def locked(house: House, lock: str, row: FloatPurchase) -> AsyncIterator[None]:
    """Whoever needs what this SQL locks gets no further."""
    async with house.database.transaction() as session:
        await (await session.connection()).execute(text(lock), {"id": row.id})
        yield


async def killed_in(house: House, worker: WorkerProcess, row: FloatPurchase, activity: str, lock: str) -> None:
    """Kills the worker while `activity` waits for the lock, and starts another."""
    async with locked(house, lock, row):
        await until_running(house, row, activity)
        worker.kill()
    worker.start()


ROW = "SELECT 1 FROM float_purchases WHERE id = :id FOR UPDATE"
ATTEMPTS = "LOCK TABLE payout_attempts IN EXCLUSIVE MODE"
CODES = "LOCK TABLE one_time_codes IN EXCLUSIVE MODE"


async def test_a_worker_killed_while_it_holds_the_costs(house: House, desk: MoneyDesk, worker: WorkerProcess) -> None:
    """SCARS: crash between the balance write and the transaction row leaves the books inconsistent."""
    await house.fund("5000.00", "float")
    worker.kill()
    row = await desk.buy_float("2000.00", PATIENT)
    worker.start()
    await killed_in(house, worker, row, "floats.hold_costs", ROW)
    await desk.confirm(row)
    await assert_bought(house, desk, await desk.ended(row, 60))


async def test_a_worker_killed_while_it_makes_a_code_sends_one(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    await house.fund("5000.00", "float")
    worker.kill()
    row = await desk.buy_float("2000.00", PATIENT)
    worker.start()
    await killed_in(house, worker, row, "floats.send_code", CODES)
    await desk.confirm(row)
    await assert_bought(house, desk, await desk.ended(row, 60))
    async with house.database.transaction() as session:
        assert len(list(await session.exec(select(OneTimeCode)))) == 1


async def test_a_worker_killed_while_the_code_is_awaited(house: House, desk: MoneyDesk, worker: WorkerProcess) -> None:
    await house.fund("5000.00", "float")
    row = await desk.buy_float("2000.00", PATIENT)
    code = await desk.code_of(row)
    worker.kill()
    worker.start()
    assert (await desk.give_code(row, code)).verdict == "right"
    await assert_bought(house, desk, await desk.ended(row, 60))


async def test_a_worker_killed_before_the_transfer_is_written_sends_under_a_new_reference(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """Nothing can have left: the reference is fenced off."""
    await house.fund("5000.00", "float")
    row = await desk.buy_float("2000.00", PATIENT)
    code = await desk.code_of(row)
    async with locked(house, ATTEMPTS, row):
        assert (await desk.give_code(row, code)).verdict == "right"
        await until_running(house, row, "bank.send")
        worker.kill()
    worker.start()
    await assert_bought(house, desk, await desk.ended(row, 60))
    assert [order["reference"][-3:] for order in await orders(house)] == ["-a2", "-a1"]


async def until_taken(house: House, what: str, count: int = 1) -> None:
    async def taken() -> bool:
        return len([order for order in await orders(house) if order["what"] == what]) >= count

    await eventually(taken)


@pytest.mark.parametrize(("dialect", "operation"), [("ncba", "bank.transfer"), ("reference", "bank.float")])
async def test_a_worker_killed_after_the_bank_took_an_instruction(
    house: House, desk: MoneyDesk, worker: WorkerProcess, operation: str
) -> None:
    """SCARS: a crash in between is a payment without a trace. Its answer never came; its push and its reference tell."""
    await house.fault(operation, "timeout_after_execution")
    row = await funded_purchase(house, desk, policy=PATIENT)
    await until_taken(house, "transfer" if operation == "bank.transfer" else "float")
    worker.kill()
    worker.start()
    await assert_bought(house, desk, await desk.ended(row, 60))


async def test_a_worker_killed_before_the_bank_took_a_transfer_leaves_it_to_people(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """Its row says that it may have been sent: nobody but the bank or two people can say that it was not."""
    await house.fault("bank.transfer", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=PATIENT), "transferring")
    await until_running(house, row, "bank.send")
    worker.kill()
    worker.start()
    await until_waiting(desk, row, "operator", timeout=60)
    await desk.resolve(row, "not_paid", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_bob")
    await assert_given_back(house, desk, await desk.ended(row, 60), "failed", "resolved_not_paid")


async def test_a_worker_killed_while_it_books_the_transfer(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    await house.fault("bank.transfer", "slow", options={"seconds": 0.8})  # time to take the lock
    row = await desk.until(await funded_purchase(house, desk, policy=PATIENT), "transferring")
    await killed_in(house, worker, row, "floats.record_move", ROW)
    await assert_bought(house, desk, await desk.ended(row, 60))


async def test_a_worker_killed_while_it_captures_the_costs(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    await house.fault("bank.float", "slow", options={"seconds": 0.8})
    row = await desk.until(await funded_purchase(house, desk, policy=PATIENT), "buying")
    await killed_in(house, worker, row, "floats.settle", ROW)
    await assert_bought(house, desk, await desk.ended(row, 60))


@only_ncba
async def test_a_worker_killed_while_the_money_goes_back(
    house: House, desk: MoneyDesk, worker: WorkerProcess, dialect: str
) -> None:
    await house.fault("bank.float", "refuse")
    await house.fault("bank.transfer", "timeout_after_execution", skip=1)
    row = await funded_purchase(house, desk, policy=PATIENT)
    await until_taken(house, "transfer", 2)
    worker.kill()
    worker.start()
    await assert_returned(house, desk, row, dialect)


async def test_a_worker_killed_while_it_books_what_came_back(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    await house.fault("bank.float", "refuse")
    await house.fault("bank.transfer", "slow", skip=1, options={"seconds": 0.8})
    row = await desk.until(await funded_purchase(house, desk, policy=PATIENT), "returning")
    await killed_in(house, worker, row, "floats.record_move", ROW)
    await assert_returned(house, desk, row, "reference")


async def assert_returned(house: House, desk: MoneyDesk, row: FloatPurchase, dialect: str) -> None:
    code = "invalid_request" if dialect == "ncba" else "limit_exceeded"
    await assert_given_back(house, desk, await desk.ended(row, 60), "failed", code, moved=(THERE, BACK))
