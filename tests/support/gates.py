"""Stops a saga's books at a line of its timeline, so that a test can kill or cut off whoever writes it at just that moment.

Every step of a saga writes a line of its timeline in the transaction that does its work. A gate is shut on the n-th line of
a saga, at one of two moments: as the line is written (the step's work is half done, and dies with the transaction), or as
it is committed (the work will be done, and nobody will hear of it). The database itself does the waiting: nothing in the
product knows of gates, and no test has to catch a moment.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal

import psycopg
from psycopg.rows import scalar_row

from tests.support.house import House
from tests.support.waiting import eventually

Moment = Literal["write", "commit"]

_LOCKS: Final = 4711  # the class of our advisory locks
_MAKE: Final = f"""
CREATE TABLE test_gates (workflow_id text, line int, moment text);
CREATE FUNCTION stand_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before int := (SELECT count(*) FROM saga_events WHERE workflow_id = NEW.workflow_id AND id < NEW.id);
BEGIN
    IF EXISTS (
        SELECT FROM test_gates g
        WHERE g.workflow_id = NEW.workflow_id AND g.moment = TG_ARGV[0] AND g.line = before + 1
    ) THEN
        PERFORM pg_advisory_xact_lock_shared({_LOCKS}, hashtext(NEW.workflow_id));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gate_at_write BEFORE INSERT ON saga_events FOR EACH ROW EXECUTE FUNCTION stand_at_gate('write');
CREATE CONSTRAINT TRIGGER gate_at_commit AFTER INSERT ON saga_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION stand_at_gate('commit');
"""
_WAITING: Final = f"SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = {_LOCKS} AND NOT granted"


@dataclass(frozen=True)
class Gates:
    """Gates on the timelines of one house. They are open when the block that made them ends."""

    connection: psycopg.AsyncConnection[int]

    async def shut(self, workflow_id: str, line: int, moment: Moment = "write") -> None:
        """From now on nobody passes the saga's n-th line, the first being 1, until its gate is opened."""
        await self.connection.execute(f"SELECT pg_advisory_lock({_LOCKS}, hashtext(%s))", [workflow_id])
        await self.connection.execute("INSERT INTO test_gates VALUES (%s, %s, %s)", [workflow_id, line, moment])

    async def reached(self, *workflow_ids: str, timeout: float = 30) -> None:
        """Returns once somebody stands at the gate of each of these sagas."""

        async def all_there() -> bool:
            standing = {number % 2**32 for number in await self._numbers(_WAITING)}
            return {await self._number(one) for one in workflow_ids} <= standing

        await eventually(all_there, timeout)

    async def open(self, *workflow_ids: str) -> None:
        """Whoever stands there goes on, dead or alive."""
        for workflow_id in workflow_ids:
            await self.connection.execute("DELETE FROM test_gates WHERE workflow_id = %s", [workflow_id])
            await self.connection.execute(f"SELECT pg_advisory_unlock({_LOCKS}, hashtext(%s))", [workflow_id])

    async def _number(self, workflow_id: str) -> int:
        return (await self._numbers("SELECT hashtext(%s)", workflow_id))[0] % 2**32  # pg_locks shows it unsigned

    async def _numbers(self, query: str, *values: str) -> list[int]:
        return list(await (await self.connection.execute(query, values)).fetchall())


@asynccontextmanager
async def gates_of(house: House) -> AsyncIterator[Gates]:
    """Gates for the timelines of this house's sagas, once a database."""
    async with await psycopg.AsyncConnection.connect(
        house.database.url, autocommit=True, row_factory=scalar_row
    ) as connection:
        await connection.execute(_MAKE)
        yield Gates(connection)
