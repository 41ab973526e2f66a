"""Several connections at once. Each test forces the overlap: one transaction is held open while the other runs into it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import pytest
from sqlmodel import text

from core.errors import Busy, Conflict, InsufficientFunds, Rejected
from core.money import Money
from ledger.balances import balance, entries
from ledger.chart import Account, bank_funding, mpesa_fees, partner_wallet
from ledger.posting import Posted, post
from ledger.rollups import roll_up
from ledger.transfers import Capture, Command, Hold, Post, Release, Reverse
from store.database import Database
from tests.ledger.books import BANK, FEES, OTHER, WALLET, assert_sound, charge, do, figures, hold, kes, read, top_up

T = TypeVar("T")


async def _until_blocked(database: Database) -> None:
    """Waits until a backend of this database waits for another one's lock."""
    for _ in range(200):
        async with database.transaction() as session:
            query = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if (await (await session.connection()).execute(query)).scalar_one():
                return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waited")


async def _overlap(database: Database, first: Command, second: Command) -> Posted | BaseException:
    """`first` is posted but not committed when `second` comes; gives what `second` came to."""
    async with asyncio.timeout(20):
        async with database.transaction() as session:
            await post(session, first)
            late = asyncio.ensure_future(do(database, second))
            await _until_blocked(database)
            assert not late.done()
        [outcome] = await asyncio.gather(late, return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else outcome[0]


async def _open_accounts(database: Database) -> None:
    """1000 in two wallets. The first transfer of an account opens it, and others wait for that: not what is tested."""
    fees = Post("open", BANK, FEES, kes(1), "x")
    await do(database, top_up("t1", 1000), top_up("t2", 1000, OTHER), fees, Reverse("opened", "open", "x"))


async def _settled(awaitable: Awaitable[T]) -> T | Rejected:
    try:
        return await awaitable
    except Rejected as refused:
        return refused


# The row lock of the wallet orders the first pair; the second has two pools and no lock, only the unique index.
_OF_A_WALLET = hold("h1", 600)
_OF_A_POOL = Hold("h1", mpesa_fees("KES"), FEES, kes(600), "settle", workflow_id="w/1")


@pytest.mark.parametrize("held", [_OF_A_WALLET, _OF_A_POOL], ids=["wallet", "pool"])
@pytest.mark.parametrize("second", [Capture("c2", "h1", kes(5)), Release("c2", "h1")], ids=["capture", "release"])
async def test_of_two_simultaneous_resolutions_of_one_hold_one_succeeds(
    database: Database, held: Hold, second: Command
) -> None:
    await do(database, top_up("t1", 1000), held)
    outcome = await _overlap(database, Capture("c1", "h1"), second)
    assert isinstance(outcome, Conflict)
    assert outcome.code == "hold_resolved"
    assert await figures(database, FEES) == (600, 0, 600)
    await assert_sound(database)


# Most of the wallet's money: a second posting would lack funds, and must be seen as a replay before that.
@pytest.mark.parametrize("command", [charge("x", 700), Post("x", mpesa_fees("KES"), FEES, kes(700), "settle")])
async def test_the_same_key_at_the_same_time_posts_once(database: Database, command: Post) -> None:
    await do(database, top_up("t1", 1000))
    outcome = await _overlap(database, command, command)
    assert isinstance(outcome, Posted)
    assert outcome.replayed
    assert await figures(database, FEES) == (700, 0, 700)
    small = replace(command, key="y", amount=kes(1))
    other = await _overlap(database, small, Post("y", BANK, OTHER, kes(2), "top-up"))
    assert isinstance(other, Conflict)
    assert other.code == "key_reused"
    await assert_sound(database)


async def test_the_same_key_proceeds_when_the_first_transaction_rolls_back(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    async with database.transaction() as session:
        await post(session, charge("x", 1))
        late = asyncio.ensure_future(do(database, charge("x", 1)))
        await _until_blocked(database)
        await session.rollback()
    [posted] = await late
    assert not posted.replayed
    assert await figures(database) == (999, 0, 999)


async def test_a_release_waits_for_its_hold_in_flight_and_gives_it_back(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    released = await _overlap(database, hold("h1", 600), Release("u1", "h1"))
    assert isinstance(released, Posted)
    assert released.amount == kes(600)
    assert await figures(database) == (1000, 0, 1000)
    await assert_sound(database)


async def test_a_hold_that_meets_its_release_in_flight_is_refused(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    outcome = await _overlap(database, Release("u1", "h1"), hold("h1", 600))
    assert isinstance(outcome, Conflict)
    assert outcome.code == "hold_released"
    await assert_sound(database)


async def test_two_charges_at_once_cannot_spend_the_same_money(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    outcome = await _overlap(database, charge("c1", 700), charge("c2", 700))
    assert isinstance(outcome, InsufficientFunds)
    assert await figures(database) == (300, 0, 300)
    await assert_sound(database)


async def test_a_pool_makes_nobody_wait(database: Database) -> None:
    await _open_accounts(database)
    async with database.transaction() as session:
        await post(session, charge("c1", 10))
        await asyncio.wait_for(do(database, charge("c2", 20, OTHER)), timeout=5)
        assert await figures(database, FEES) == (20, 0, 20)
    assert await figures(database, FEES) == (30, 0, 30)
    await assert_sound(database)


async def test_a_serialization_failure_is_busy_and_not_insufficient_funds(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    async with database.transaction() as session:
        connection = await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        await connection.execute(text("SELECT count(*) FROM ledger_accounts"))
        await do(database, charge("c1", 1))
        with pytest.raises(Busy):
            await post(session, charge("c2", 1))
        await session.rollback()
    assert await figures(database) == (999, 0, 999)


async def test_a_deadlock_is_busy_and_not_insufficient_funds(database: Database) -> None:
    await _open_accounts(database)
    first, second = asyncio.Event(), asyncio.Event()

    async def crossed(mine: Command, then: Command, ready: asyncio.Event, other: asyncio.Event) -> None:
        async with database.transaction() as session:
            await post(session, mine)
            ready.set()
            await other.wait()
            await post(session, then)

    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(
            crossed(charge("a1", 1), charge("b1", 1, OTHER), first, second),
            crossed(charge("b2", 1, OTHER), charge("a2", 1), second, first),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Busy]
    assert (await figures(database), await figures(database, OTHER)) == ((999, 0, 999), (999, 0, 999))
    await assert_sound(database)


async def test_batches_in_opposite_orders_do_not_deadlock(database: Database) -> None:
    wallets = [partner_wallet(f"prt_{n}", "KES") for n in range(8)]
    hot = Account("test:hot:KES", "KES", "credit", floor_minor=0, pool=False, hot=True)
    await do(database, *(top_up(f"t{n}", 1000, wallet) for n, wallet in enumerate([*wallets, hot])))

    async def batch(n: int) -> None:
        order = wallets if n % 2 else wallets[::-1]
        await do(database, *(Post(f"b{n}:{w.id}", w, hot, kes(1), "fee") for w in order), charge(f"h{n}", 1, hot))

    await asyncio.gather(*(batch(n) for n in range(20)))
    assert await figures(database, hot) == (1000 + 8 * 20 - 20, 0, 1000 + 8 * 20 - 20)
    await assert_sound(database)


async def test_ids_and_versions_are_given_once_under_load(database: Database) -> None:
    await do(database, top_up("t1", 30))
    outcomes = await asyncio.gather(*(_settled(do(database, charge(f"c{n}", 1))) for n in range(40)))
    posted = [outcome[0] for outcome in outcomes if not isinstance(outcome, Rejected)]
    assert len({found.transfer_id for found in posted}) == len(posted) == 30  # the rest was refused: no money left
    async with database.transaction() as session:
        lines = await entries(session, WALLET, limit=100)
    assert [line.version for line in lines] == list(range(31, 0, -1))
    assert all(newer.created_at >= older.created_at for newer, older in pairwise(lines))
    await assert_sound(database)


async def test_accounts_opened_by_many_at_once_exist_once(database: Database) -> None:
    wallet = partner_wallet("prt_new", "UGX")
    amount = Money(5, "UGX")
    await asyncio.gather(
        *(do(database, Post(f"t{n}", bank_funding("UGX"), wallet, amount, "top-up")) for n in range(12))
    )
    assert await figures(database, wallet) == (60, 0, 60)
    await assert_sound(database)


async def test_a_pools_balance_survives_roll_ups_beside_postings(database: Database) -> None:
    await _open_accounts(database)
    async with asyncio.timeout(20), database.transaction() as session:
        await post(session, charge("c1", 10))
        # In flight: neither seen nor lost by a roll-up that runs and commits meanwhile.
        await do(database, charge("c2", 20, OTHER), charge("c3", 30, OTHER))
        await do(database, charge("c4", 40, OTHER))
        async with database.transaction() as other:
            assert await roll_up(other, FEES) == 4
        assert await figures(database, FEES) == (90, 0, 90)
    assert await figures(database, FEES) == (100, 0, 100)

    async def rolling() -> None:
        async with database.transaction() as session:
            await roll_up(session)
            assert (await balance(session, BANK)).posted == kes(2000)

    await asyncio.gather(*(do(database, charge(f"d{n}", 1, OTHER)) for n in range(30)), *(rolling() for _ in range(6)))
    await rolling()
    assert await figures(database, FEES) == (130, 0, 130)
    assert (await read(database, FEES)).credits_posted == kes(131)  # with the one that opened it
    async with database.transaction() as session:
        rows = await (await session.connection()).execute(text("SELECT count(*) FROM ledger_rollups"))
        assert rows.scalar_one() == 2
    await assert_sound(database)
