"""Posting beside pgledger's published SQL (github.com/pgr0ss/pgledger), on the same server in the same run.

pgledger's files are not ours and not here: `KIVUKO_PGLEDGER_SQL` names them in the order in which they are loaded (the ULID
functions that its README names, then `pgledger.sql`), separated as in PATH. Without it this is skipped, aloud.

Either way a call is a transaction of its own on a pooled connection, `WORKERS` at once. pgledger is called with psycopg and
nothing else; ours as an activity calls it, through its session. Ours also keeps what pgledger has no word for: a key that
makes a repetition harmless, holds, floors that count open holds.
"""

import itertools
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, cast

import psycopg
from rich.console import Console

from benchmarks.figures import Figure
from benchmarks.ledger import BATCH, PARTNERS, WORKERS, best_rates, fund
from core.ids import new_id
from core.money import Money
from ledger.chart import Account, partner_wallet, sms_fees
from ledger.posting import post
from ledger.transfers import Post
from store.database import Database

VARIABLE: Final = "KIVUKO_PGLEDGER_SQL"
_ONE: Final = Money(1, "KES")
_ONE_TRANSFER: Final = "SELECT * FROM pgledger_create_transfer(%s, %s, %s)"
_MANY: Final = (
    "SELECT * FROM pgledger_create_transfers(ARRAY(SELECT (f, t, a)::transfer_request "
    "FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS u(f, t, a)))"
)

Work = Callable[[], Awaitable[int]]
Connections = list[psycopg.AsyncConnection]


async def run(database_url: str, say: Console, *, seconds: float = 3.0) -> list[Figure]:
    """Transfers a second of both, each way for `seconds`, and their ratios."""
    files = [Path(name) for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    if not files:
        say.print(f"[yellow]pgledger is skipped: {VARIABLE} names no files.[/]")
        return []
    database = Database(database_url, pool_size=WORKERS)
    idle = [await psycopg.AsyncConnection.connect(database_url, autocommit=True) for _ in range(WORKERS)]
    try:
        for file in files:
            await idle[0].execute(cast("psycopg.abc.Query", file.read_bytes()))
        accounts = await _accounts(idle[0])
        run_id = new_id("bench")
        wallets = [partner_wallet(f"{run_id}_{n}", "KES") for n in range(PARTNERS)]
        await fund(database, wallets)
        works = _theirs(idle, accounts) + _ours(database, wallets, run_id)
        rates = await best_rates(works, seconds)
    finally:
        for connection in idle:
            await connection.close()
        await database.close()
    names = ("between cold accounts", "to one hot account", f"in batches of {BATCH}")
    return [
        Figure(f"ledger beside pgledger, {name}", our, "transfers/s", aim, our / their,
               f"{aim} times pgledger's {their:,.0f}")
        for name, their, our, aim in zip(names, rates[:3], rates[3:], (1, 2, 6), strict=True)
    ]  # fmt: skip


async def _accounts(connection: psycopg.AsyncConnection) -> list[str]:
    """One hot account, then those that pay into it."""
    made = "SELECT (pgledger_create_account('bench ' || n, 'KES')).id FROM generate_series(0, %s) n"
    return [row[0] for row in await (await connection.execute(made, (PARTNERS,))).fetchall()]


def _theirs(idle: Connections, accounts: list[str]) -> list[Work]:
    hot, *cold = accounts

    async def call(query: str, *values: object) -> None:
        connection = idle.pop()
        try:
            async with connection.transaction():
                await (await connection.execute(query, values, prepare=True)).fetchall()
        finally:
            idle.append(connection)

    async def between() -> int:
        await call(_ONE_TRANSFER, *random.sample(cold, 2), 1)
        return 1

    async def to_hot() -> int:
        await call(_ONE_TRANSFER, random.choice(cold), hot, 1)
        return 1

    async def batch() -> int:
        await call(_MANY, random.choices(cold, k=BATCH), [hot] * BATCH, [1] * BATCH)
        return BATCH

    return [between, to_hot, batch]


def _ours(database: Database, wallets: list[Account], run_id: str) -> list[Work]:
    keys = (f"{run_id}:{number}" for number in itertools.count())

    async def between() -> int:
        debit, credit = random.sample(wallets, 2)
        async with database.transaction() as session:
            await post(session, Post(next(keys), debit, credit, _ONE, "benchmark"))
        return 1

    async def to_hot() -> int:
        async with database.transaction() as session:
            await post(session, Post(next(keys), random.choice(wallets), sms_fees("KES"), _ONE, "sms fee"))
        return 1

    async def batch() -> int:
        charges = [
            Post(next(keys), wallet, sms_fees("KES"), _ONE, "sms fee") for wallet in random.choices(wallets, k=BATCH)
        ]
        async with database.transaction() as session:
            await post(session, *charges)
        return BATCH

    return [between, to_hot, batch]
