"""A whole installation as processes, as `kivuko up` runs it, and everything that can happen to one: any of its processes is
killed or paused, a saga is reset."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from temporalio.service import RPCError

from cli.local.ports import free_port
from cli.local.stack import LocalStack
from core.settings import Settings
from store.database import Database
from temporal.client import connect
from tests.support.house import House
from tests.support.lender import make_lender
from tests.support.resets import completed_tasks, first_run, reset

T = TypeVar("T")

ADMIN_KEY = "kvk_storm0001_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
AWAY = (OperationalError, InterfaceError, DBAPIError, RPCError, RuntimeError, OSError, httpx.HTTPError, TimeoutError)
PROCESSES = ("sagas", "callers", "api", "postgres", "temporal")
LONGEST_PAUSE = 13.0  # longer than a step may be silent (10 s) before it counts as dead


@dataclass
class Installation:
    """`house` acts on it as the flows' tests do; `hits` counts what was done to it."""

    stack: LocalStack
    house: House
    dice: random.Random
    hits: Counter[str] = field(default_factory=Counter)

    async def hit(self, sagas: list[str]) -> None:
        """One blow: a process is killed or paused, or one of these sagas is reset to some point of its history."""
        kind = self.dice.choice(("kill", "kill", "pause", "reset"))
        if kind == "reset" and sagas:
            await self._reset(self.dice.choice(sagas))
            return
        name = self.dice.choice(PROCESSES)
        pid = self._pids().get("workers" if name == "sagas" else name)
        if pid is None:
            return  # it is just being started again
        with suppress(ProcessLookupError):
            if kind == "kill":
                os.kill(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(self.dice.uniform(1.0, LONGEST_PAUSE))
                os.kill(pid, signal.SIGCONT)
            self.hits[f"{kind} {name}"] += 1

    async def _reset(self, workflow_id: str) -> None:
        client = self.house.client
        with suppress(*AWAY):
            run = await first_run(client, workflow_id)
            points = await completed_tasks(client, workflow_id, run)
            if points:  # else it has only just been started
                await reset(client, workflow_id, run, self.dice.choice(points))
                self.hits["reset saga"] += 1

    def _pids(self) -> dict[str, int]:
        return {**self.stack.child_pids, **self.stack.server_pids}


async def again(work: Callable[[], Awaitable[T]], *, minutes: float = 3) -> T:
    """What a person or a provider does whose call failed because a process was down: the same again."""
    until = asyncio.get_running_loop().time() + minutes * 60
    while True:
        try:
            return await asyncio.wait_for(work(), 20)
        except AWAY:
            if asyncio.get_running_loop().time() > until:
                raise
            await asyncio.sleep(0.5)


@asynccontextmanager
async def running(folder: Path, seed: int, say: Callable[[str, str], None]) -> AsyncIterator[Installation]:
    """An installation in this folder, with one lender whose wallet is funded."""
    os.environ.pop("TEMPORAL_ADDRESS", None)
    settings = Settings.model_validate(
        {
            "data_dir": folder / ".kivuko",
            "api": {"port": free_port(), "rate_per_minute": 1_000_000},
            "simulators": {"port": free_port(), "smtp_port": free_port()},
            "temporal": {"port": free_port(), "ui_port": free_port()},
            "worker": {"calls_per_second": {"mpesa": 500.0}, "graceful_shutdown_seconds": 2.0},
            "security": {"bootstrap_admin_key": SecretStr(ADMIN_KEY)},
        }
    )
    async with LocalStack(settings, on_progress=say) as stack:
        database = Database(stack.settings.database.url)
        client = await connect(stack.settings)
        urls = stack.urls
        async with httpx.AsyncClient(verify=False, base_url=urls["simulators"], timeout=20) as http:
            partner_id = await make_lender(stack.settings, database, http, api_url=urls["api"])
            house = House(stack.settings, database, client, cast(Any, None), urls["api"], partner_id, http)
            await house.fund("1000000.00", "storm")
            try:
                yield Installation(stack, house, random.Random(seed))
            finally:
                await database.close()
