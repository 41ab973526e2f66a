"""Every call to a provider leaves a line, which costs no transaction of its own where a step commits anyway."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from activities.clients.exchange_log import ExchangeLog, with_next_commit
from core.clock import utc_now
from models.tables.platform.traffic import ProviderExchange
from providers.ports import Exchange
from store.database import Database


def call(operation: str, **changed: object) -> Exchange:
    given = {
        "provider": "daraja", "operation": operation, "method": "POST", "url": "/b2c", "request": {"a": 1},
        "response": None, "status_code": 200, "outcome": "ok", "duration_ms": 3, "started_at": utc_now(),
        "reference": "pay_1-a1",
    }  # fmt: skip
    return Exchange(**{**given, **changed})  # type: ignore[arg-type]


async def lines(database: Database) -> list[str]:
    await database.flush()  # what no commit took with it
    async with database.transaction() as session:
        return sorted(await session.exec(select(ProviderExchange.operation)))


async def test_a_call_outside_of_any_step_is_written_soon(database: Database) -> None:
    await ExchangeLog(database, None)(call("alone"))
    assert await lines(database) == ["alone"]


async def test_a_line_is_written_with_the_next_commit_and_by_no_transaction_of_its_own(database: Database) -> None:
    log = ExchangeLog(database, None)
    commits: list[object] = []
    note = commits.append
    event.listen(database.engine.sync_engine, "commit", note)
    async with with_next_commit(database):
        await log(call("first"))
        await asyncio.create_task(log(call("second")))
        async with database.transaction() as session:
            await session.exec(select(ProviderExchange.id))
    event.remove(database.engine.sync_engine, "commit", note)
    assert len(commits) == 1
    assert await lines(database) == ["first", "second"]


async def test_what_no_commit_followed_is_written_at_the_end_however_it_ends(database: Database) -> None:
    with suppress(LookupError):
        async with with_next_commit(database):
            await ExchangeLog(database, None)(call("lost?"))
            raise LookupError
    assert await lines(database) == ["lost?"]


async def test_a_transaction_that_is_rolled_back_loses_no_line(database: Database) -> None:
    async with with_next_commit(database):
        await ExchangeLog(database, None)(call("kept"))
        with pytest.raises(LookupError):
            async with database.transaction():
                raise LookupError
    assert await lines(database) == ["kept"]


async def refused_at_its_commit(database: Database) -> None:
    async with database.transaction() as session:
        connection = await session.connection()
        for statement in (
            "CREATE TEMP TABLE parents (id int PRIMARY KEY)",
            "CREATE TEMP TABLE children (id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
            "INSERT INTO children VALUES (1)",
        ):
            await connection.execute(text(statement))


async def test_a_commit_that_fails_loses_no_line(database: Database) -> None:
    async with with_next_commit(database):
        await ExchangeLog(database, None)(call("kept"))
        with pytest.raises(IntegrityError):
            await refused_at_its_commit(database)
    assert await lines(database) == ["kept"]


async def test_a_line_that_the_database_refuses_spoils_no_step(database: Database) -> None:
    async with with_next_commit(database):
        await ExchangeLog(database, None)(call("refused", request={"name": "a\x00b"}))
        async with database.transaction() as session:
            await session.exec(select(ProviderExchange.id))
        await ExchangeLog(database, None)(call("good"))
    assert await lines(database) == ["good"]
