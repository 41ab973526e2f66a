"""Workers die at every line of a float purchase's books, and in the middle of every instruction to the bank (real processes,
SIGKILL); then the database's answers are lost at every line. No shilling moves twice; the bank's books agree with ours."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from core.money import Money
from ledger import chart
from models.tables.lending.float_purchase import FloatPurchase
from store.database import Database
from tests.support.bank_books import FLOAT, balance_of, both_dialects, movements, orders, until_running, until_waiting
from tests.support.customers import set_connection
from tests.support.cut_wire import wire_to
from tests.support.gates import Gates, gates_of
from tests.support.house import House
from tests.support.lender import B2C_ACCOUNT, WALLET_ACCOUNT
from tests.support.money_in import QUICK_FLOAT, MoneyDesk
from tests.support.waiting import eventually
from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.slow

# A dead worker is noticed after ten seconds, so what waits for a person here must be more patient than in other tests.
PATIENT = QUICK_FLOAT.model_copy(update={"confirm_within": timedelta(seconds=90)})

# The lines of a purchase: 1 requested, 2 held, 3 code sent, 4 code given, 5 transfer told, 6 transfer done, 7 purchase told,
# 8 completed. Where the purchase is refused: 8 refused, 9 transfer back told, 10 back, 11 ended.
CODE_SENT, BACK_TOLD, BOUGHT_LINES, RETURNED_LINES = 3, 9, range(2, 9), range(8, 12)


@dataclass
class Purchase:
    """One purchase of an amount of its own, by which faults, codes and movements are told apart."""

    what: str
    row: FloatPurchase
    expected: tuple[str, ...]
    gate: int | None = None
    ends: str = "completed"

    @property
    def waits_for_code(self) -> bool:
        """Whether its gate comes before the code."""
        return self.gate is not None and self.gate <= CODE_SENT

    @property
    def amount(self) -> str:
        return Money(self.row.amount_minor, "KES").amount


@dataclass
class Till:
    """Buys float again and again, each time for one shilling more."""

    house: House
    desk: MoneyDesk
    bought: int = 0

    async def purchase(self, what: str, *, gate: int | None = None, ends: str = "completed") -> Purchase:
        self.bought += 1
        row = await self.desk.float_row(f"{2000 + self.bought}.00")
        return Purchase(what, row, PATHS[ends](f"{2000 + self.bought}.00"), gate, ends)

    async def fault(self, purchase: Purchase, operation: str, action: str, **more: object) -> None:
        await self.house.fault(operation, action, match={"amount": purchase.amount}, **more)


def _there(amount: str) -> str:
    return f"{WALLET_ACCOUNT} > {B2C_ACCOUNT} {amount}"


# What moves at the bank, by how a purchase ends.
PATHS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "completed": lambda amount: (_there(amount), f"{B2C_ACCOUNT} > {FLOAT} {amount}"),
    "returned": lambda amount: (_there(amount), f"{B2C_ACCOUNT} > {WALLET_ACCOUNT} {amount}"),
    "untouched": lambda amount: (),
}


async def assert_every_shilling_moved_once(house: House, desk: MoneyDesk, purchases: list[Purchase]) -> None:
    """By the bank's books, by ours, and by both together."""
    fees = Money.parse("80.00", "KES")
    spent, bought = Money.zero("KES"), 0
    for purchase in purchases:
        row = await desk.ended(purchase.row, 60)
        done = purchase.ends == "completed"
        assert row.stage == ("completed" if done else "failed"), (purchase.what, row.reason)
        if done:
            bought, spent = bought + 1, spent + Money(row.amount_minor, "KES") + fees
    assert sorted(await movements(house)) == sorted(line for one in purchases for line in one.expected)
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (Money.parse("101000.00", "KES") - spent, Money.zero("KES"))
    for account, fee in ((chart.bank_fees("KES"), 3000), (chart.processing_fees("KES"), 5000)):
        assert (await balance_of(house, account)).posted == Money(fee * bought, "KES")
    assert await house.cases() == []
    await house.assert_books_balance()
    await desk.assert_books_agree()


async def decide_not_moved(desk: MoneyDesk, purchase: Purchase, timeout: float) -> None:
    """Its row says that it may have been sent: nobody but the bank or two people can say that it was not."""
    await until_waiting(desk, purchase.row, "operator", timeout)
    await desk.resolve(purchase.row, "not_paid", actor="key_ann")
    await desk.resolve(purchase.row, "approve", actor="key_bob")


@both_dialects
async def test_a_worker_killed_everywhere_moves_every_shilling_once(
    house: House, desk: MoneyDesk, worker: WorkerProcess
) -> None:
    """SCARS: crash between the balance write and the transaction row leaves the books inconsistent; a crash in between is a
    payment without a trace."""
    await house.fund("100000.00", "float")
    # So that an instruction whose answer does not come is in a worker's hands until that dies.
    await set_connection(desk, "bank", patience={"read_seconds": 40})
    till = Till(house, desk)
    gated = [await till.purchase(f"line {line}", gate=line) for line in BOUGHT_LINES]
    gated += [await till.purchase(f"refused, line {line}", gate=line, ends="returned") for line in RETURNED_LINES]
    taken = [await till.purchase("transfer taken"), await till.purchase("float taken")]
    going_back = await till.purchase("transfer back taken", ends="returned")
    not_taken = await till.purchase("transfer not taken", ends="untouched")
    for one in (*gated, going_back):
        if one.ends == "returned":
            await till.fault(one, "bank.float", "refuse")
    for one, operation in zip(taken, ("bank.transfer", "bank.float"), strict=True):
        await till.fault(one, operation, "timeout_after_execution")
    await till.fault(going_back, "bank.transfer", "timeout_after_execution", skip=1)
    await till.fault(not_taken, "bank.transfer", "timeout_before")
    purchases = [*gated, *taken, going_back, not_taken]

    async with gates_of(house) as gates:
        for one in gated:
            await gates.shut(one.row.workflow_id, one.gate or 0)
        for one in purchases:
            await desk.start(one.row, PATIENT)
        worker.start()
        await asyncio.gather(*(desk.confirm(one.row) for one in purchases if not one.waits_for_code))
        await gates.reached(*(one.row.workflow_id for one in gated))
        await until_taken(house, taken[0], "transfer")
        await until_taken(house, taken[1], "float")
        await until_taken(house, going_back, "transfer", 2)
        await until_running(house, not_taken.row, "payouts.send")
        worker.kill()
    worker.start()
    await asyncio.gather(*(desk.confirm(one.row) for one in purchases if one.waits_for_code))
    await decide_not_moved(desk, not_taken, 60)
    await assert_every_shilling_moved_once(house, desk, purchases)


async def until_taken(house: House, purchase: Purchase, what: str, count: int = 1) -> None:
    """Until the bank has taken so many of these instructions."""

    async def taken() -> bool:
        found = [one for one in await orders(house) if (one["what"], one["amount"]) == (what, purchase.amount)]
        return len(found) >= count

    await eventually(taken)


async def test_the_database_answers_no_commit_and_every_shilling_moves_once(house: House, desk: MoneyDesk) -> None:
    """What a step wrote is there, and the worker does not know it. Where the lost line is "told to the bank", nothing was
    told, and nobody but two people can know that."""
    await house.fund("100000.00", "float")
    await house.stop_workers()
    till, purchases = Till(house, desk), []
    async with wire_to(house.database.url) as wire, gates_of(house) as gates:
        through_wire = Database(wire.url)
        await house.start_workers(through_wire)
        for line in BOUGHT_LINES:
            ends = {5: "untouched", 7: "returned"}.get(line, "completed")
            one = await till.purchase(f"line {line}", gate=line, ends=ends)
            purchases.append(one)
            await lose_the_answer(desk, gates, one, line, cut=wire.cut)
            if ends != "completed":
                await decide_not_moved(desk, one, 30)
            await desk.ended(one.row)
        for line in RETURNED_LINES:
            one = await till.purchase(f"refused, line {line}", gate=line, ends="returned")
            purchases.append(one)
            await till.fault(one, "bank.float", "refuse")
            await lose_the_answer(desk, gates, one, line, cut=wire.cut)
            if line == BACK_TOLD:
                await decide_not_moved(desk, one, 30)
                await until_waiting(desk, one.row, "repeat the transfer back")
                await desk.retry(one.row)
            await desk.ended(one.row)
        await assert_every_shilling_moved_once(house, desk, purchases)
        await house.stop_workers()
        await through_wire.close()


async def lose_the_answer(
    desk: MoneyDesk, gates: Gates, purchase: Purchase, line: int, *, cut: Callable[[], None]
) -> None:
    await gates.shut(purchase.row.workflow_id, line, "commit")
    await desk.start(purchase.row, PATIENT)
    if line > CODE_SENT:
        await desk.confirm(purchase.row)
    await gates.reached(purchase.row.workflow_id)
    cut()
    await gates.open(purchase.row.workflow_id)
    if line <= CODE_SENT:
        await desk.confirm(purchase.row)
