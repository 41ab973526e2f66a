"""What one payment costs: processor time by process, and counts. The measure that holds on a noisy machine, since everything
shares the processor.

    process          milliseconds of processor time per payment, of it and of what it started
    transactions     committed in our database, less what its idle loops commit in that time; rows written (inserted,
                     changed); kilobytes of WAL
    calls            to providers, as our own exchange log counts them
    events, bytes    of the payment's history in Temporal
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psutil
from rich.table import Table
from sqlalchemy import text

from benchmarks.stack import Bench, rate

_IDLE: Final = 3.0  # seconds for which an idle stack is watched
_SETTLES: Final = 1.5  # seconds until PostgreSQL has counted what its sessions did
_KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one payment. `processes` in milliseconds by name, "driver" being the benchmark itself."""

    name: str
    processes: dict[str, float]
    transactions: float
    rows: float
    wal_kib: float
    calls: float
    events: int
    payload_kib: float
    per_second: float
    counted: int = field(default=0)

    @property
    def total(self) -> float:
        """Milliseconds of every process but the driver."""
        return sum(spent for name, spent in self.processes.items() if name != "driver")


async def cost_of(bench: Bench, name: str, items: Sequence[int], work: Callable[[int], Awaitable[str]]) -> Cost:
    """Runs `work` for every item, twenty at a time; it gives the workflow id of what it did. Warm the stack up before."""
    ids: list[str] = []

    async def one(item: int) -> None:
        ids.append(await work(item))

    idle = await _idle_transactions(bench)
    before, counts, began = _spent(bench), await _counts(bench), time.perf_counter()
    per_second = await rate(items, one)
    await asyncio.sleep(_SETTLES)
    lasted = time.perf_counter() - began
    spent, counted = _spent(bench), await _counts(bench)
    history = await bench.client.get_workflow_handle(ids[-1]).fetch_history()
    many = len(items)
    return Cost(
        name=name,
        processes={process: (spent[process] - before[process]) * 1000 / many for process in spent},
        transactions=(counted.transactions - counts.transactions - idle * lasted) / many,
        rows=(counted.rows - counts.rows) / many,
        wal_kib=(counted.wal - counts.wal) / _KIB / many,
        calls=(counted.calls - counts.calls) / many,
        events=len(history.events),
        payload_kib=sum(event.ByteSize() for event in history.events) / _KIB,
        per_second=per_second,
        counted=many,
    )


def table(costs: Sequence[Cost]) -> Table:
    shown = Table(title="One payment costs", title_justify="left")
    shown.add_column("what")
    for cost in costs:
        shown.add_column(cost.name, justify="right")
    for process in dict.fromkeys(process for cost in costs for process in cost.processes):
        shown.add_row(f"{process}, ms", *(f"{cost.processes.get(process, 0):.1f}" for cost in costs))
    shown.add_row("all but the driver, ms", *(f"{cost.total:.1f}" for cost in costs), style="bold")
    shown.add_row("database transactions", *(f"{cost.transactions:.1f}" for cost in costs))
    shown.add_row("rows written", *(f"{cost.rows:.1f}" for cost in costs))
    shown.add_row("WAL, KiB", *(f"{cost.wal_kib:.1f}" for cost in costs))
    shown.add_row("calls to providers", *(f"{cost.calls:.1f}" for cost in costs))
    shown.add_row("history, events", *(str(cost.events) for cost in costs))
    shown.add_row("history, KiB", *(f"{cost.payload_kib:.1f}" for cost in costs))
    shown.add_row("per second", *(f"{cost.per_second:.1f}" for cost in costs))
    return shown


@dataclass(frozen=True, slots=True)
class _Counts:
    transactions: int
    rows: int
    wal: int
    calls: int


async def _counts(bench: Bench) -> _Counts:
    async with bench.database.transaction() as session:
        connection = await session.connection()
        stats = await connection.execute(
            text(
                "SELECT xact_commit, tup_inserted + tup_updated + tup_deleted, "
                "pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, (SELECT count(*) FROM provider_exchanges) "
                "FROM pg_stat_database WHERE datname = current_database()"
            )
        )
        return _Counts(*(int(value) for value in stats.one()))


async def _idle_transactions(bench: Bench) -> float:
    """A second, of a stack that nobody asks for anything: dispatchers that look for messages, sweeps on their schedules."""
    await asyncio.sleep(_SETTLES)
    before = await _counts(bench)
    await asyncio.sleep(_IDLE)
    return ((await _counts(bench)).transactions - before.transactions) / _IDLE


def _spent(bench: Bench) -> dict[str, float]:
    """Seconds of processor time by name, of each program and of the processes that it started."""
    found = {name: _of_tree(psutil.Process(pid)) for name, pid in bench.pids().items()}
    found["driver"] = sum(psutil.Process(os.getpid()).cpu_times()[:2])
    return found


def _of_tree(process: psutil.Process) -> float:
    """With children that have ended: their parent keeps their time, once it has noticed."""
    try:
        times = process.cpu_times()
        return float(sum(times[:4])) + sum(_of_tree(child) for child in process.children())
    except psutil.NoSuchProcess:
        return 0.0
