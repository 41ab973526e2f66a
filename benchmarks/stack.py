"""The stack that is measured: the one of `kivuko up` in a folder of its own, with real servers and simulators."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import psutil
from temporalio.client import Client

from benchmarks.told import Told, telling
from cli.demo.lender import DARAJA_APP
from cli.demo.seed import seed
from cli.local.ports import free_port
from cli.local.stack import LocalStack
from core.settings import Settings
from models.messages.connections.bank import BankSettings
from store.database import Database
from store.platform import approval_policies, partners
from temporal.client import connect
from temporal.schedules import watch_id

IN_FLIGHT: Final = 20
MIB: Final = 1024 * 1024


@dataclass
class Bench:
    """A running stack and what is needed to load it."""

    settings: Settings
    client: Client
    database: Database
    world: httpx.AsyncClient
    api: httpx.AsyncClient
    partner_id: str
    seconds_to_ready: float
    resident_mib: float
    shortcode: str
    bank_account: str
    told: Told
    pids: Callable[[], dict[str, int]]  # of the stack's programs, by name
    numbers: Iterator[int] = field(default_factory=lambda: count(10_000_000))

    def next_number(self) -> int:
        """Another number at each call, for phones."""
        return next(self.numbers)


@asynccontextmanager
async def running_stack(folder: Path) -> AsyncIterator[Bench]:
    settings = Settings(
        _env_file=None,
        data_dir=folder / ".kivuko",
        log_level="WARNING",
        api={"port": free_port(), "rate_per_minute": 1_000_000},
        temporal={"port": free_port(), "ui_port": free_port()},
        simulators={"port": free_port(), "smtp_port": free_port()},
        worker={"calls_per_second": {"mpesa": 1000.0}, "sandbox": False},  # as docker-compose.yml has it
    )
    began = time.monotonic()
    async with LocalStack(settings, on_progress=lambda part, text: None) as stack:
        client = await connect(stack.settings)
        seeded = await seed(stack.settings, client, lambda part, text: None)
        seconds = time.monotonic() - began
        # The poll would pay what the textbook is to pay.
        await client.get_schedule_handle(watch_id("fineract", seeded.partner_id)).pause()
        resident = _resident_mib(stack)
        database = Database(stack.settings.database.url)
        key = (stack.settings.data_dir / "admin.key").read_text().strip()
        async with (
            httpx.AsyncClient(base_url=stack.urls["simulators"], timeout=30) as world,
            httpx.AsyncClient(
                base_url=f"{stack.urls['api']}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
            ) as api,
        ):
            await _credits_alone(database)
            funds = {"amount": {"amount": "500000.00", "currency": "KES"}, "reference": "bench-funds"}
            answer = await api.post(f"/partners/{seeded.partner_id}/wallet/credits", json=funds)
            answer.raise_for_status()
            async with database.transaction() as session:
                bank = await partners.connection(session, seeded.partner_id, "bank")
            account = BankSettings.model_validate(bank.settings).wallet_account
            async with telling(stack.settings.database.url) as told:
                yield Bench(
                    stack.settings, client, database, world, api, seeded.partner_id, seconds, resident,
                    str(DARAJA_APP["shortcode"]), account, told, lambda: {**stack.server_pids, **stack.child_pids},
                )  # fmt: skip
        await database.close()


async def _credits_alone(database: Database) -> None:
    """One person credits wallets, as a small installation sets it."""
    async with database.transaction() as session:
        await approval_policies.put(
            session, act="wallets.credit", currency="", from_minor=0, approvers=0, remind_after=[],
            escalate_after=172_800, expire_after=604_800,
        )  # fmt: skip


async def rate(items: Sequence[int], work: Callable[[int], Awaitable[object]]) -> float:
    """Items per second, twenty at a time."""
    limit = asyncio.Semaphore(IN_FLIGHT)

    async def one(item: int) -> None:
        async with limit:
            await work(item)

    began = time.perf_counter()
    await asyncio.gather(*(one(item) for item in items))
    return len(items) / (time.perf_counter() - began)


def _resident_mib(stack: LocalStack) -> float:
    """Resident memory of every process of the stack; what PostgreSQL's processes share is counted once (PSS)."""
    pids = set(stack.server_pids.values())
    processes = {
        child for pid in pids for child in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    }
    processes |= set(psutil.Process().children(recursive=True))
    return sum(process.memory_full_info().pss for process in processes) / MIB
