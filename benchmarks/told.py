"""The database tells the driver what it waits for. A driver that looked again and again would spend processor time, and
transactions, in the very processes that are measured."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg

# Two triggers of the benchmark's own: a payment's saga has ended (its receipt), a code was made (its saga).
_TRIGGERS: Final = """
CREATE FUNCTION bench_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('bench', CASE TG_TABLE_NAME
        WHEN 'collections' THEN 'ended ' || (to_jsonb(NEW)->>'receipt') || ' ' || (to_jsonb(NEW)->>'workflow_id')
        ELSE 'code ' || (to_jsonb(NEW)->>'subject') || ' -' END);
    RETURN NULL;
END $$;
CREATE TRIGGER bench_ended AFTER UPDATE ON collections FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL AND NEW.receipt IS NOT NULL) EXECUTE FUNCTION bench_told();
CREATE TRIGGER bench_code AFTER INSERT ON one_time_codes FOR EACH ROW EXECUTE FUNCTION bench_told();
"""


class Told:
    """What the database has told, until it is asked for."""

    def __init__(self) -> None:
        self._told: dict[str, asyncio.Future[str]] = defaultdict(asyncio.get_running_loop().create_future)

    async def saga_that_ended(self, receipt: str) -> str:
        """The workflow id of the saga that booked the payment."""
        return await self._told[f"ended {receipt}"]

    async def code_made(self, workflow_id: str) -> None:
        await self._told[f"code {workflow_id}"]

    def take(self, payload: str) -> None:
        about, _, said = payload.rpartition(" ")
        if not self._told[about].done():
            self._told[about].set_result(said)


@asynccontextmanager
async def telling(url: str) -> AsyncIterator[Told]:
    """While this lasts the database at `url` tells."""
    told = Told()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(_TRIGGERS)
        await connection.execute("LISTEN bench")

        async def listen() -> None:
            async for notification in connection.notifies():
                told.take(notification.payload)

        listening = asyncio.create_task(listen())
        try:
            yield told
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
