"""The check of the books must find what is wrong with them: each test breaks them behind the ledger's back."""

import pytest
from sqlmodel import text

from ledger.invariants import violations
from ledger.transfers import Capture, Release, Reverse
from store.database import Database
from tests.ledger.books import assert_sound, charge, do, hold, kes, top_up


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE NOT pool", "currency_sums_to_zero"),
        ("UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE NOT pool", "balance_is_sum_of_lines"),
        ("UPDATE ledger_accounts SET version = version + 1 WHERE NOT pool", "balance_is_sum_of_lines"),
        ("UPDATE ledger_accounts SET debits_posted = debits_posted + 1 WHERE pool", "pool_row_stays_zero"),
        ("UPDATE ledger_rollups SET credits_posted = credits_posted + 1", "balance_is_sum_of_lines"),
        ("DELETE FROM ledger_rollups", "balance_is_sum_of_lines"),
        ("UPDATE ledger_rollups SET account_id = 'wallet:prt_a:KES' WHERE id = 1", "rollup_names_a_pool"),
        ("UPDATE ledger_entries SET posted_minor = posted_minor + 1 WHERE version = 1", "lines_sum_to_zero"),
        ("UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE version = 1", "chain_is_unbroken"),
        ("UPDATE ledger_entries SET held_after = held_after + 1 WHERE version = 2", "chain_is_unbroken"),
        ("UPDATE ledger_entries SET version = 99 WHERE version = 3", "chain_is_unbroken"),
        ("UPDATE ledger_entries SET balance_after = -1 WHERE version = 3", "line_above_floor"),
        ("DELETE FROM ledger_entries WHERE version = 3", "transfer_has_its_two_lines"),
        ("UPDATE ledger_entries SET account_id = 'nobody' WHERE version = 3", "balance_is_sum_of_lines"),
        ("UPDATE ledger_accounts SET floor_minor = 5000 WHERE NOT pool", "available_above_floor"),
        ("UPDATE ledger_accounts SET currency = 'UGX' WHERE NOT pool", "one_currency"),
        ("UPDATE ledger_transfers SET target_id = NULL, kind = 'post' WHERE key = 'e1'", "pendings_are_open_holds"),
        ("UPDATE ledger_transfers SET amount_minor = 601 WHERE key = 'e1'", "follow_up_fits"),
        ("UPDATE ledger_transfers SET debit_id = credit_id, credit_id = debit_id WHERE key = 'r1'", "follow_up_fits"),
        ("DELETE FROM ledger_transfers WHERE key = 'u9'", "void_is_released"),
        (
            "DROP INDEX uq_ledger_transfers_target_id;"
            "UPDATE ledger_transfers SET target_id = (SELECT id FROM ledger_transfers WHERE key = 'h1') WHERE key = 'u2'",
            "followed_up_once",
        ),
        (
            "DROP INDEX uq_ledger_transfers_key; UPDATE ledger_transfers SET key = 'h1' WHERE key = 'h2'",
            "key_used_once",
        ),
    ],
)
async def test_damaged_books_are_found_out(database: Database, damage: str, rule: str) -> None:
    await do(database, top_up("t1", 1000), hold("h1", 600), hold("h2", 100), hold("h3", 50), charge("c1", 10))
    await do(
        database, Capture("e1", "h1", kes(300)), Release("u2", "h2"), Release("u9", "h9"), Reverse("r1", "e1", "x")
    )
    await assert_sound(database)
    async with database.transaction() as session:
        connection = await session.connection()
        checks = await connection.execute(
            text(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' AND conname LIKE :like"
            ),
            {"like": "ck_ledger_%"},
        )
        for table, name in checks.all():
            await connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # triggers off
        for statement in damage.split(";"):
            await connection.execute(text(statement))
        assert rule in {found.rule for found in await violations(session)}
