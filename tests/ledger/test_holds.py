"""Hold, then capture, release or expire: once, and never more than was held."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import utc_now
from core.errors import Conflict, InsufficientFunds, InvalidRequest, LimitExceeded, NotFound
from core.money import Money
from ledger.balances import open_holds
from ledger.chart import Account
from ledger.transfers import Capture, Command, Expire, Post, Release
from store.database import Database
from tests.ledger.books import BANK, FEES, WALLET, assert_sound, charge, do, figures, hold, kes, read, top_up


async def test_open_holds_count_in_the_funds_check(database: Database) -> None:
    await do(database, top_up("t1", 1000), hold("h1", 600))
    assert await figures(database) == (1000, 600, 400)
    for too_much in (charge("c1", 401), hold("h2", 401)):
        with pytest.raises(InsufficientFunds):
            await do(database, too_much)
    await do(database, charge("c1", 400))
    assert await figures(database) == (600, 600, 0)
    await assert_sound(database)


async def test_a_promised_amount_is_not_spendable_by_its_receiver(database: Database) -> None:
    other = replace(WALLET, id="wallet:prt_b:KES")
    await do(database, top_up("t1", 1000), replace(hold("h1", 600), credit=other))
    assert (await read(database, other)).incoming == kes(600)
    with pytest.raises(InsufficientFunds):
        await do(database, Post("p1", other, FEES, kes(1), "x"))
    await do(database, Capture("c1", "h1"))
    assert await figures(database, other) == (600, 0, 600)
    await assert_sound(database)


async def test_a_retry_with_the_same_key_makes_no_second_hold(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    [first] = await do(database, hold("h1", 600))
    [again] = await do(database, hold("h1", 600))
    assert again == replace(first, replayed=True)
    assert await figures(database) == (1000, 600, 400)
    await assert_sound(database)


async def test_a_capture_posts_all_of_the_hold(database: Database) -> None:
    await do(database, top_up("t1", 1000), hold("h1", 600))
    [captured] = await do(database, Capture("c1", "h1"))
    assert (captured.kind, captured.amount) == ("capture", kes(600))
    assert await figures(database) == (400, 0, 400)
    assert await figures(database, FEES) == (600, 0, 600)
    await assert_sound(database)


async def test_a_partial_capture_releases_the_rest(database: Database) -> None:
    await do(database, top_up("t1", 1000), hold("h1", 600))
    await do(database, Capture("c1", "h1", kes(250)))
    assert await figures(database) == (750, 0, 750)
    assert (await read(database, FEES)).incoming == kes(0)
    await assert_sound(database)


async def test_no_more_can_be_captured_than_was_held(database: Database) -> None:
    await do(database, top_up("t1", 1000), hold("h1", 600))
    with pytest.raises(LimitExceeded):
        await do(database, Capture("c1", "h1", kes(601)))
    with pytest.raises(InvalidRequest):
        await do(database, Capture("c1", "h1", Money(1, "UGX")))
    assert await figures(database) == (1000, 600, 400)


_ENDS: list[Command] = [Capture("e1", "h1"), Release("e1", "h1"), Expire("e1", "h1")]


@pytest.mark.parametrize("first", _ENDS, ids=lambda c: type(c).__name__)
@pytest.mark.parametrize("second", _ENDS, ids=lambda c: type(c).__name__)
async def test_a_hold_is_resolved_once(database: Database, first: Command, second: Command) -> None:
    ended = replace(hold("h1", 600), held_until=utc_now() - timedelta(seconds=1))
    await do(database, top_up("t1", 1000), ended, first)
    after = await figures(database)
    [again] = await do(database, first)
    assert again.replayed
    with pytest.raises(Conflict) as refused:
        await do(database, replace(second, key="e2"))
    assert refused.value.code == "hold_resolved"
    assert await figures(database) == after == ((400, 0, 400) if isinstance(first, Capture) else (1000, 0, 1000))
    await assert_sound(database)


async def test_a_rejected_hold_cannot_be_captured_later(database: Database) -> None:
    await do(database, top_up("t1", 100))
    with pytest.raises(InsufficientFunds):
        await do(database, hold("h1", 600))
    await do(database, top_up("t2", 1000))
    with pytest.raises(NotFound):
        await do(database, Capture("c1", "h1"))
    assert await figures(database) == (1100, 0, 1100)


async def test_the_release_of_a_hold_that_never_happened_refuses_it_from_then_on(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    [released] = await do(database, Release("u1", "h1"))
    assert (released.amount, released.balances, released.replayed) == (None, (), False)
    [again] = await do(database, Release("u1", "h1"))
    assert again == replace(released, replayed=True)
    with pytest.raises(Conflict, match="hold_released"):
        await do(database, hold("h1", 600))
    with pytest.raises(Conflict, match="hold_resolved"):
        await do(database, Capture("c1", "h1"))
    with pytest.raises(Conflict, match="key_reused"):
        await do(database, charge("h1", 1))
    assert await figures(database) == (1000, 0, 1000)
    await assert_sound(database)


async def test_a_hold_and_its_end_may_share_a_batch(database: Database) -> None:
    await do(
        database, top_up("t1", 1000), hold("h1", 600), Release("u1", "h1"), hold("h2", 900), Capture("c2", "h2", kes(1))
    )
    assert await figures(database) == (999, 0, 999)
    with pytest.raises(Conflict, match="hold_released"):
        await do(database, Release("u3", "h3"), hold("h3", 1))
    await assert_sound(database)


async def test_a_hold_expires_only_after_its_deadline(database: Database) -> None:
    later = replace(hold("h1", 600), held_until=utc_now() + timedelta(minutes=5))
    await do(database, top_up("t1", 2000), later, hold("h2", 600))
    for key in ("h1", "h2"):  # h2 has no deadline at all
        with pytest.raises(Conflict, match="hold_not_expired"):
            await do(database, Expire("e1", key))
    with pytest.raises(NotFound):
        await do(database, Expire("e1", "h3"))
    past = replace(hold("h4", 600), held_until=datetime(2026, 1, 1, tzinfo=UTC))
    await do(database, past, Expire("e4", "h4"))
    assert await figures(database) == (2000, 1200, 800)
    await assert_sound(database)


async def test_a_payment_that_was_made_is_captured_even_after_the_deadline(database: Database) -> None:
    await do(database, top_up("t1", 1000), replace(hold("h1", 600), held_until=datetime(2026, 1, 1, tzinfo=UTC)))
    await do(database, Capture("c1", "h1"))
    assert await figures(database) == (400, 0, 400)


async def test_only_holds_can_be_captured_or_released(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    for command in (Capture("x", "t1"), Release("x", "t1"), Expire("x", "t1")):
        with pytest.raises(Conflict, match="not_a_hold"):
            await do(database, command)


async def test_a_release_restores_exactly_what_was_own_money_and_what_was_overdraft(database: Database) -> None:
    overdraft = Account("test:overdraft:KES", "KES", "credit", floor_minor=-500, pool=False)
    await do(database, Post("t1", BANK, overdraft, kes(300), "top-up"))
    await do(database, hold("h1", 700, overdraft))
    assert await figures(database, overdraft) == (300, 700, -400)
    with pytest.raises(InsufficientFunds):
        await do(database, charge("c1", 101, overdraft))
    await do(database, charge("c1", 100, overdraft), Release("u1", "h1"))
    assert await figures(database, overdraft) == (200, 0, 200)
    await assert_sound(database)


async def test_open_holds_are_listed_with_their_saga(database: Database) -> None:
    second = replace(hold("h2", 200), workflow_id="float-purchase/flt_1", group="flt_1", held_until=utc_now())
    await do(database, top_up("t1", 1000), hold("h1", 100), second, hold("h3", 300), Capture("c3", "h3"))
    async with database.transaction() as session:
        assert [found.key for found in await open_holds(session)] == ["h1", "h2"]
        [mine] = await open_holds(session, workflow_id="float-purchase/flt_1")
    assert (mine.key, mine.amount, mine.group, mine.held_until) == ("h2", kes(200), "flt_1", second.held_until)
    assert (mine.debit_id, mine.credit_id) == (WALLET.id, FEES.id)
