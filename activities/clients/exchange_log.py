"""Keeps a line for every call to a provider, with the saga that made it. Inside an activity the lines wait for its next
commit and cost no transaction of their own; what is left at its end is written soon, however it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from providers.ports import Exchange
from store.database import Database
from store.platform import exchanges


class ExchangeLog:
    """A recorder for the provider clients of one partner."""

    def __init__(self, database: Database, partner_id: str | None) -> None:
        self._database, self._partner_id = database, partner_id

    async def __call__(self, exchange: Exchange) -> None:
        line = {
            "provider": exchange.provider,
            "operation": exchange.operation,
            "partner_id": self._partner_id,
            "workflow_id": activity.info().workflow_id if activity.in_activity() else None,
            "reference": exchange.reference,
            "method": exchange.method,
            "url": exchange.url,
            "request": exchange.request,
            "response": exchange.response,
            "status_code": exchange.status_code,
            "outcome": exchange.outcome,
            "duration_ms": exchange.duration_ms,
            "started_at": exchange.started_at,
        }
        if not exchanges.will_be_written(line):
            _write_soon(self._database, [line])


@asynccontextmanager
async def with_next_commit(database: Database) -> AsyncIterator[None]:
    """The calls made inside cost no transaction of their own: their lines wait for the next commit inside, or for the end."""
    with exchanges.collecting() as waiting:
        try:
            yield
        finally:
            if waiting:
                lines, waiting[:] = waiting[:], []
                _write_soon(database, lines)


class ExchangesWithNextCommit(Interceptor):
    """Put on every worker, around all that an activity does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Collecting(next, self._database)


class _Collecting(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, database: Database) -> None:
        super().__init__(next)
        self._database = database

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        async with with_next_commit(self._database):
            return await super().execute_activity(input)


def _write_soon(database: Database, lines: list[exchanges.Line]) -> None:
    async def write(session: AsyncSession) -> None:
        await exchanges.add(session, *lines)

    database.later(write)
