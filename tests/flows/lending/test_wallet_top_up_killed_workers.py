"""Workers die at every line of a top-up's books (real processes, SIGKILL), and the database's answers are lost at every line:
each credit at the bank is in the wallet once."""

import pytest

from core.money import Money
from models.tables.lending.wallet_top_up import TopUp
from store.database import Database
from tests.support.customers import sweep
from tests.support.cut_wire import wire_to
from tests.support.gates import Gates, Moment, gates_of
from tests.support.house import House
from tests.support.money_in import QUICK_TOP_UP, MoneyDesk
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow

# The lines of a top-up: 1 requested, 2 waits for the money, 3 credited.
LINES, WAITS = range(2, 4), 2


async def gated(desk: MoneyDesk, gates: Gates, line: int, moment: Moment) -> TopUp:
    """A top-up whose saga waits for the money, or stands at the gate before; then the lender's transfer arrives."""
    row = await desk.top_up_row(f"{1500 + line}.00")
    await gates.shut(row.workflow_id, line, moment)
    await desk.start(row, QUICK_TOP_UP)
    if line == WAITS:
        await gates.reached(row.workflow_id)
    else:
        await desk.until(row, "waiting_money")
    await desk.deposit(Money(row.amount_minor, row.currency).amount, str(row.reference))
    return row


async def assert_every_transfer_credited_once(house: House, desk: MoneyDesk) -> None:
    async def all_ended() -> bool:
        await sweep(house)
        return all(row.ended_at is not None for row in await desk.top_ups())

    await eventually(all_ended, timeout=60)
    rows = await desk.top_ups()
    assert [(row.stage, row.credited_minor) for row in rows] == [
        ("completed", 150_000 + 100 * line) for line in LINES
    ]  # fmt: skip
    assert len(await desk.incoming()) == len(rows)
    assert (await house.wallet()).available == Money(1000_00 + sum(1500_00 + 100 * line for line in LINES), "KES")
    assert await house.cases() == []
    await desk.assert_books_agree()


async def test_a_worker_killed_everywhere_credits_every_transfer_once(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """SCARS: crash between the balance write and the transaction row leaves the books inconsistent."""
    async with gates_of(house) as gates:
        worker.start()
        rows = [await gated(desk, gates, line, "write") for line in LINES]
        await gates.reached(*(row.workflow_id for row in rows))
        worker.kill()
    worker.start()
    await assert_every_transfer_credited_once(house, desk)


async def test_the_database_answers_no_commit_and_every_transfer_is_credited_once(
    house: House, desk: MoneyDesk
) -> None:
    await house.stop_workers()
    async with wire_to(house.database.url) as wire, gates_of(house) as gates:
        through_wire = Database(wire.url)
        await house.start_workers(through_wire)
        for line in LINES:
            row = await gated(desk, gates, line, "commit")
            await gates.reached(row.workflow_id)
            wire.cut()
            await gates.open(row.workflow_id)
            await desk.ended(row)
        await assert_every_transfer_credited_once(house, desk)
        await house.stop_workers()
        await through_wire.close()
