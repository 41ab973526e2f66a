"""What accounts did in a period agrees with their balances at its ends, whatever was posted before, in it and after."""

import random
from datetime import datetime, timedelta

from core.clock import utc_now
from ledger.balances import balance
from ledger.chart import bank_fees
from ledger.periods import AccountPeriod, account_periods, movements
from ledger.rollups import roll_up
from ledger.transfers import Capture, Post, Release, Reverse
from store.database import Database
from tests.ledger.books import BANK, FEES, OTHER, WALLET, charge, do, hold, kes, top_up

ACCOUNTS = (WALLET, OTHER, BANK, FEES)


async def busy_books(database: Database) -> list[datetime]:
    """Postings of every kind, and moments between them."""
    moments: list[datetime] = []
    choice = random.Random(19)
    for number in range(12):
        moments.append(utc_now())
        wallet = choice.choice((WALLET, OTHER))
        await do(database, top_up(f"t{number}", choice.randint(500, 900), wallet))
        await do(database, charge(f"c{number}", choice.randint(1, 50), wallet), hold(f"h{number}", 40, wallet))
        if number % 3 == 0:
            await do(database, Capture(f"k{number}", f"h{number}", kes(30)))
        elif number % 3 == 1:
            await do(database, Release(f"k{number}", f"h{number}"), Reverse(f"r{number}", f"c{number}", "in error"))
        if number == 6:
            async with database.transaction() as session:
                await roll_up(session)
    return [*moments, utc_now()]


async def test_each_account_opens_and_closes_with_its_balance_of_then(database: Database) -> None:
    moments = await busy_books(database)
    for since, until in ((moments[0], moments[-1]), (moments[3], moments[9]), (moments[5], moments[6])):
        async with database.transaction() as session:
            found = {one.account_id: one for one in await account_periods(session, since, until)}
            for account in ACCOUNTS:
                opening = await balance(session, account, as_of=since)
                closing = await balance(session, account, as_of=until)
                told = found[account.id]
                assert (told.opening, told.closing) == (opening.posted, closing.posted)
                assert told.opening + told.came - told.went == told.closing
                assert told.came.minor + told.went.minor > 0 or opening == closing
        assert sum(_signed(one) for one in found.values()) == 0, "double entry: nothing comes from nowhere"


def _signed(one: AccountPeriod) -> int:
    """The change in credits: a debit-side account's growth is a debit."""
    change = one.closing.minor - one.opening.minor
    return -change if one.account_id == BANK.id else change


async def test_movements_add_up_to_what_came_and_went(database: Database) -> None:
    moments = await busy_books(database)
    since, until = moments[2], moments[10]
    async with database.transaction() as session:
        periods = await account_periods(session, since, until)
        moved = await movements(session, since, until)
    for one in periods:
        for direction, total in (("in", one.came), ("out", one.went)):
            parts = [m.amount.minor for m in moved if (m.account_id, m.direction) == (one.account_id, direction)]
            assert sum(parts) == total.minor
    assert {m.counterpart for m in moved if m.account_id == WALLET.id} == {BANK.id, FEES.id}


async def test_a_prefix_shows_no_other_account(database: Database) -> None:
    await do(database, top_up("t1", 900), top_up("t2", 900, OTHER), Post("p", WALLET, bank_fees("KES"), kes(5), "fee"))
    since, until = utc_now() - timedelta(hours=1), utc_now()
    async with database.transaction() as session:
        assert [one.account_id for one in await account_periods(session, since, until, "wallet:prt_a:")] == [WALLET.id]
        assert {one.account_id for one in await movements(session, since, until, "wallet:prt_a:")} == {WALLET.id}


async def test_an_account_that_rested_is_told_with_its_balance(database: Database) -> None:
    await do(database, top_up("t1", 900))
    now = utc_now()
    async with database.transaction() as session:
        (told,) = await account_periods(session, now, now + timedelta(days=1), "wallet:")
    assert (told.opening, told.came, told.went, told.closing) == (kes(900), kes(0), kes(0), kes(900))
