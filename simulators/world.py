"""What all simulators of one process share: their memory, their faults, and the tasks that send callbacks later."""

import asyncio
import ssl
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from simulators.documents import Documents, Memory
from simulators.faults import FaultBook

# Providers call from many machines: no callback travels on the connection of an earlier one.
_NO_KEEPING = httpx.Limits(max_keepalive_connections=0)


@cache
def _known_authorities() -> ssl.SSLContext:
    """One for all worlds of a process: reading the authorities takes 50 ms of processor time."""
    return httpx.create_ssl_context()


def _caller() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=10, limits=_NO_KEEPING, verify=_known_authorities())


@dataclass
class World:
    """`http` sends callbacks and hooks; `later` keeps a background task alive and cancels it at shutdown."""

    documents: Documents = field(default_factory=Documents)
    faults: FaultBook = field(default_factory=FaultBook)
    http: httpx.AsyncClient = field(default_factory=_caller)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def start_over(self, memory: Memory) -> None:
        """Goes back to `memory`: forgets what happened since, what was to happen next, and what was to go wrong."""
        await self._stop_tasks()
        self.documents.go_back(memory)
        self.faults.start_over()

    async def _stop_tasks(self) -> None:
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def close(self) -> None:
        await self._stop_tasks()
        await self.http.aclose()
        self.documents.close()
