"""Posting and reversing: idempotent, atomic, checked."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import text

from core.clock import utc_now
from core.errors import Busy, Conflict, InsufficientFunds, InvalidRequest, NotFound
from core.money import Money
from ledger.balances import entries
from ledger.chart import Account, bank_funding, partner_wallet
from ledger.posting import post
from ledger.transfers import Capture, Post, Release, Reverse
from store.database import Database
from tests.ledger.books import BANK, FEES, OTHER, WALLET, assert_sound, charge, do, figures, hold, kes, read, top_up


async def test_a_post_moves_money_once_and_says_the_balances_after(database: Database) -> None:
    [posted] = await do(database, top_up("t1", 1000))
    assert (posted.key, posted.kind, posted.amount, posted.replayed) == ("t1", "post", kes(1000), False)
    assert posted.balance_of(WALLET).available == kes(1000)
    with pytest.raises(KeyError):
        posted.balance_of(BANK)  # a pool's balance after is not known without its lock
    assert await figures(database) == (1000, 0, 1000)
    assert await figures(database, BANK) == (1000, 0, 1000)
    await assert_sound(database)


async def test_the_same_key_and_content_gives_the_first_result_again(database: Database) -> None:
    [first] = await do(database, top_up("t1", 1000))
    await do(database, charge("c1", 400))
    [again] = await do(database, top_up("t1", 1000))
    assert again == replace(first, replayed=True)  # the balance of then, not of now
    assert await figures(database) == (600, 0, 600)
    await assert_sound(database)


async def test_a_note_and_the_providers_clock_are_no_part_of_the_content(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    [again] = await do(database, replace(top_up("t1", 1000), note="reworded", happened_at=utc_now()))
    assert again.replayed


@pytest.mark.parametrize(
    "other",
    [
        top_up("t1", 1001),
        top_up("t1", 1000, OTHER),
        replace(top_up("t1", 1000), reason="gift"),
        replace(top_up("t1", 1000), group="dsb_1"),
        Post("t1", BANK, FEES, kes(1000), "top-up"),
        Release("t1", "h1"),
        Capture("t1", "t0"),
        hold("t1", 1000),
    ],
)
async def test_the_same_key_with_other_content_is_a_conflict(database: Database, other: Post) -> None:
    await do(database, top_up("t0", 5000), top_up("t1", 1000))
    with pytest.raises(Conflict) as refused:
        await do(database, other)
    assert (refused.value.code, refused.value.extra) == ("key_reused", {"key": "t1"})
    assert await figures(database) == (6000, 0, 6000)
    await assert_sound(database)


async def test_keys_are_idempotent_within_one_batch_too(database: Database) -> None:
    first, again = await do(database, top_up("t1", 1000), top_up("t1", 1000))
    assert again == replace(first, replayed=True)
    with pytest.raises(Conflict, match="key_reused"):
        await do(database, charge("c1", 1), charge("c1", 2))
    assert await figures(database) == (1000, 0, 1000)


async def test_a_batch_is_all_or_nothing(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    with pytest.raises(InsufficientFunds) as refused:
        await do(database, charge("c1", 600), top_up("t2", 5, OTHER), charge("c2", 600))
    assert refused.value.extra == {"key": "c2", "account": WALLET.id, "needed_minor": "1200"}
    assert await figures(database) == (1000, 0, 1000)
    assert await figures(database, OTHER) == (0, 0, 0)
    await assert_sound(database)


async def test_the_floor_is_checked_line_by_line_in_the_order_of_the_batch(database: Database) -> None:
    with pytest.raises(InsufficientFunds):
        await do(database, charge("c1", 600), top_up("t1", 1000))
    await do(database, top_up("t1", 1000), charge("c1", 600))
    assert await figures(database) == (400, 0, 400)


async def test_a_refusal_leaves_the_callers_transaction_usable(database: Database) -> None:
    async with database.transaction() as session:
        await post(session, top_up("t1", 1000))
        with pytest.raises(InsufficientFunds):
            await post(session, charge("c1", 1001))
        await post(session, charge("c2", 400))
    assert await figures(database) == (600, 0, 600)
    await assert_sound(database)


async def test_a_rollback_leaves_nothing_of_a_posting(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    async with database.transaction() as session:
        await post(session, charge("c1", 400), hold("h1", 100))
        await session.rollback()
    assert await figures(database) == (1000, 0, 1000)
    [posted, held] = await do(database, charge("c1", 400), hold("h1", 100))
    assert not posted.replayed
    assert not held.replayed
    await assert_sound(database)


async def test_a_connection_lost_before_the_commit_leaves_neither_balance_nor_transfer(database: Database) -> None:
    await do(database, top_up("t1", 1000))

    async def killed() -> None:
        async with database.transaction() as session:
            await post(session, charge("c1", 400))
            own = await (await session.connection()).execute(text("SELECT pg_backend_pid()"))
            async with database.transaction() as other:
                kill = text("SELECT pg_terminate_backend(:pid, 5000)")
                await (await other.connection()).execute(kill, {"pid": own.scalar_one()})

    with pytest.raises(DBAPIError):
        await killed()
    assert await figures(database) == (1000, 0, 1000)
    await assert_sound(database)
    [posted] = await do(database, charge("c1", 400))
    assert not posted.replayed


async def test_a_connection_lost_before_the_posting_is_told_as_busy_and_used_no_more(database: Database) -> None:
    await do(database, top_up("t1", 1000))

    async def killed() -> None:
        async with database.transaction() as session:
            own = await (await session.connection()).execute(text("SELECT pg_backend_pid()"))
            async with database.transaction() as other:
                kill = text("SELECT pg_terminate_backend(:pid, 5000)")
                await (await other.connection()).execute(kill, {"pid": own.scalar_one()})
            await post(session, charge("c1", 400))

    with pytest.raises(Busy):
        await killed()
    assert await figures(database) == (1000, 0, 1000)
    [posted] = await do(database, charge("c1", 400))
    assert not posted.replayed


async def test_a_debit_side_account_with_a_floor_is_guarded_against_credits(database: Database) -> None:
    till = Account("test:till:KES", "KES", "debit", floor_minor=100, pool=False)
    # An account is opened empty, so a floor above zero must be met by its first transfer.
    with pytest.raises(InsufficientFunds):
        await do(database, Post("p1", till, FEES, kes(99), "cash in"))
    till = Account("test:till2:KES", "KES", "debit", floor_minor=-50, pool=False)
    await do(database, Post("p2", till, FEES, kes(100), "cash in"), Post("p3", FEES, till, kes(150), "cash out"))
    with pytest.raises(InsufficientFunds):
        await do(database, Post("p4", FEES, till, kes(1), "cash out"))
    assert await figures(database, till) == (-50, 0, -50)
    await assert_sound(database)


async def test_an_account_may_not_change_its_currency_side_or_floor(database: Database) -> None:
    await do(database, top_up("t1", 1000))
    for other in (
        replace(WALLET, side="debit"),
        replace(WALLET, floor_minor=-1),
        replace(WALLET, floor_minor=None),
        replace(WALLET, floor_minor=None, pool=True),
    ):
        with pytest.raises(Conflict) as refused:
            await do(database, top_up("t2", 1, other))
        assert refused.value.code == "account_differs"
        assert refused.value.extra["account"] == WALLET.id
    with pytest.raises(Conflict, match="account_differs"):
        await do(database, top_up("t3", 1, OTHER), top_up("t4", 1, replace(OTHER, floor_minor=7)))


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("amount", lambda: top_up("k", 0)),
        ("amount", lambda: top_up("k", -1)),
        ("amount", lambda: Capture("k", "h", kes(0))),
        ("credit", lambda: Post("k", WALLET, WALLET, kes(1), "x")),
        ("debit", lambda: Post("k", bank_funding("UGX"), WALLET, kes(1), "x")),
        ("credit", lambda: Post("k", BANK, partner_wallet("prt_a", "UGX"), kes(1), "x")),
        ("debit", lambda: Post("k", BANK, WALLET, Money(1, "UGX"), "x")),
        ("key", lambda: top_up("", 1)),
        ("reason", lambda: Reverse("k", "t", "")),
        ("happened_at", lambda: replace(top_up("k", 1), happened_at=datetime(2026, 1, 1))),  # noqa: DTZ001
    ],
)
def test_a_command_that_breaks_a_rule_cannot_be_made(field: str, make: object) -> None:
    assert callable(make)
    with pytest.raises(InvalidRequest) as refused:
        make()
    assert refused.value.extra["field"] == field


async def test_a_reversal_posts_the_mirror_once(database: Database) -> None:
    await do(database, top_up("t1", 1000), charge("c1", 400))
    [reversal] = await do(database, Reverse("r1", "c1", "charged in error"))
    assert (reversal.kind, reversal.amount) == ("reverse", kes(400))
    assert await figures(database) == (1000, 0, 1000)
    assert await figures(database, FEES) == (0, 0, 0)
    [again] = await do(database, Reverse("r1", "c1", "charged in error"))
    assert again.replayed
    with pytest.raises(Conflict, match="already_reversed"):
        await do(database, Reverse("r2", "c1", "charged in error"))
    with pytest.raises(Conflict, match="not_reversible"):
        await do(database, Reverse("r2", "r1", "a reversal is corrected by a new transfer"))
    with pytest.raises(NotFound):
        await do(database, Reverse("r2", "nothing", "x"))
    await assert_sound(database)


async def test_a_captured_hold_is_reversed_once_by_either_of_its_names(database: Database) -> None:
    await do(database, top_up("t1", 1000), hold("h1", 500))
    with pytest.raises(Conflict, match="not_reversible"):
        await do(database, Reverse("r1", "h1", "not captured yet"))
    await do(database, Capture("c1", "h1", kes(300)))
    with pytest.raises(Conflict, match="already_reversed"):
        await do(database, Reverse("r1", "h1", "sent back"), Reverse("r2", "c1", "sent back"))
    [reversal] = await do(database, Reverse("r1", "h1", "sent back"))
    assert reversal.amount == kes(300)
    with pytest.raises(Conflict, match="already_reversed"):
        await do(database, Reverse("r2", "c1", "sent back"))
    assert await figures(database) == (1000, 0, 1000)
    await assert_sound(database)


async def test_a_top_up_that_is_spent_cannot_be_reversed_below_the_floor(database: Database) -> None:
    await do(database, top_up("t1", 1000), charge("c1", 400))
    with pytest.raises(InsufficientFunds):
        await do(database, Reverse("r1", "t1", "bank recalled it"))
    await assert_sound(database)


@pytest.mark.parametrize("table", ["ledger_transfers", "ledger_entries"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET created_at = now()", "TRUNCATE {} CASCADE"])
async def test_transfers_and_entries_cannot_be_changed(database: Database, table: str, change: str) -> None:
    await do(database, top_up("t1", 1000))
    with pytest.raises(IntegrityError, match="append-only"):
        async with database.transaction() as session:
            await (await session.connection()).execute(text(change.format(table)))
    await assert_sound(database)


async def test_history_keeps_the_balance_before_and_after_each_line(database: Database) -> None:
    happened = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await do(database, top_up("t1", 1000), replace(charge("c1", 400), happened_at=happened, group="dsb_1", note="n"))
    async with database.transaction() as session:
        newest, oldest = await entries(session, WALLET)
        [page] = await entries(session, WALLET, limit=1, before=newest.id)
        pool_line = (await entries(session, FEES))[0]
        with pytest.raises(InvalidRequest):
            await entries(session, WALLET, before="1; DROP")
    assert (oldest.balance_before, oldest.balance_after, oldest.version) == (kes(0), kes(1000), 1)
    assert (newest.balance_before, newest.balance_after, newest.version) == (kes(1000), kes(600), 2)
    assert (newest.change, newest.counterpart, newest.group, newest.note) == (kes(-400), FEES.id, "dsb_1", "n")
    assert newest.happened_at == happened
    assert newest.created_at > happened
    assert page == oldest
    assert (pool_line.balance_after, pool_line.version, pool_line.change) == (None, None, kes(400))


async def test_nothing_to_post_is_nothing(database: Database) -> None:
    assert await do(database) == []
    assert (await read(database)).posted == kes(0)
