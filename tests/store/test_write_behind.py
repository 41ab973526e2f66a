"""What nobody waits for is written with others' and soon, and one write that the database refuses takes no other with it."""

from functools import partial
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables.saga.saga_event import SagaEvent
from store.database import Database
from store.saga import timeline
from tests.support.waiting import eventually


async def line(session: AsyncSession, key: str) -> None:
    await timeline.write(session, "some/saga", key, "written behind")


async def refused(session: AsyncSession) -> None:
    await session.exec(text("SELECT 1 / 0"))  # type: ignore[call-overload]


async def keys(database: Database) -> list[str]:
    async with database.transaction() as session:
        return sorted(event.key for event in await timeline.read(session, "some/saga"))


async def writers(database: Database) -> set[Any]:
    """The transactions that wrote the lines."""
    async with database.transaction() as session:
        found = await (await session.connection()).execute(text(f"SELECT xmin::text FROM {SagaEvent.__tablename__}"))
        return set(found.scalars())


async def test_what_comes_close_together_is_one_transaction_and_comes_by_itself(database: Database) -> None:
    for key in ("a", "b", "c"):
        database.later(partial(line, key=key))
    assert await keys(database) == []

    async def all_there() -> bool:
        return await keys(database) == ["a", "b", "c"]

    await eventually(all_there)
    assert len(await writers(database)) == 1


async def test_a_refused_write_takes_no_other_with_it(database: Database) -> None:
    database.later(partial(line, key="a"))
    database.later(refused)
    database.later(partial(line, key="b"))
    await database.flush()
    assert await keys(database) == ["a", "b"]


async def test_what_waits_is_written_before_the_database_is_closed(database: Database, database_url: str) -> None:
    closing = Database(database_url)
    closing.later(partial(line, key="last"))
    await closing.close()
    assert await keys(database) == ["last"]


async def test_after_a_flush_the_next_writes_are_gathered_again(database: Database) -> None:
    for key in ("a", "b"):
        database.later(partial(line, key=key))
        await database.flush()
    assert await keys(database) == ["a", "b"]
    assert len(await writers(database)) == 2
