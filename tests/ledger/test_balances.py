"""Balances now and as of a moment."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from core.clock import utc_now
from core.errors import InvalidRequest, LimitExceeded
from core.money import LARGEST_MINOR
from ledger.balances import balance, balances
from ledger.chart import Account, partner_wallet
from ledger.rollups import roll_up
from ledger.transfers import Capture, Reverse
from store.database import Database
from tests.ledger.books import BANK, FEES, OTHER, WALLET, assert_sound, charge, do, hold, kes, read, top_up


async def test_an_account_never_used_has_zero(database: Database) -> None:
    found = await read(database, partner_wallet("prt_new", "UGX"))
    assert (found.posted.minor, found.available.minor, found.currency) == (0, 0, "UGX")


@pytest.mark.parametrize("account", [WALLET, FEES, BANK], ids=lambda a: a.id)
async def test_a_balance_as_of_a_moment_is_what_it_was_then(database: Database, account: Account) -> None:
    moments, then = [utc_now()], [await read(database, account)]
    for command in (top_up("t1", 1000), hold("h1", 600), charge("c1", 100), Capture("e1", "h1", kes(400)),
                    Reverse("r1", "c1", "in error")):  # fmt: skip
        [posted] = await do(database, command)
        moments.append(posted.created_at)
        then.append(await read(database, account))
    async with database.transaction() as session:
        await roll_up(session)
        assert [await balance(session, account, as_of=moment) for moment in moments] == then
        with pytest.raises(InvalidRequest):
            await balance(session, account, as_of=datetime(2026, 1, 1))  # noqa: DTZ001


async def test_the_providers_clock_is_another_clock_than_ours(database: Database) -> None:
    earlier = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    await do(database, top_up("t1", 1000), replace(charge("c1", 400), happened_at=earlier))
    async with database.transaction() as session:
        at = {"as_of": datetime(2026, 2, 1, tzinfo=UTC)}
        assert (await balance(session, FEES, clock="happened", **at)).posted == kes(400)
        assert (await balance(session, FEES, clock="created", **at)).posted == kes(0)


async def test_all_balances_of_a_kind_are_listed_in_order(database: Database) -> None:
    await do(database, top_up("t2", 2000, OTHER), top_up("t1", 1000), charge("c1", 400), hold("h1", 100))
    async with database.transaction() as session:
        wallets = await balances(session, "wallet:")
        everything = await balances(session)
        assert [found.account_id for found in wallets] == [WALLET.id, OTHER.id]
        assert [found.available.minor for found in wallets] == [500, 2000]
        assert everything == [await balance(session, account) for account in (FEES, BANK, WALLET, OTHER)]
        assert await balances(session, "wallet:prt_%") == []  # a prefix, not a pattern


async def test_an_amount_above_the_largest_of_its_currency_is_refused(database: Database) -> None:
    largest = LARGEST_MINOR["KES"]
    await do(database, top_up("t1", largest))
    for make in (top_up, charge, hold):
        with pytest.raises(LimitExceeded) as caught:
            make("t2", largest + 1)
        assert caught.value.code == "amount_too_large"


async def test_no_sum_makes_the_books_unreadable(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a bigint holds: an account with a row of its own refuses, a pool goes on, and all of it stays readable."""
    monkeypatch.setitem(LARGEST_MINOR, "KES", 10**18)  # else it would take millions of postings
    for number in range(9):
        await do(database, top_up(f"a{number}", 10**18), top_up(f"b{number}", 10**18, OTHER))
    with pytest.raises(LimitExceeded) as caught:
        await do(database, top_up("a9", 10**18))
    assert caught.value.code == "amount_too_large"
    async with database.transaction() as session:
        assert await roll_up(session) == 0
    assert (await read(database, BANK)).posted.minor == 18 * 10**18
    async with database.transaction() as session:
        assert (await balance(session, BANK, as_of=utc_now())).posted.minor == 18 * 10**18
        assert [found.posted.minor for found in await balances(session, "wallet:")] == [9 * 10**18] * 2
    await assert_sound(database)
