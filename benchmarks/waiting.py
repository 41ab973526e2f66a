"""Disbursements that wait for their lender's float: what a waiting one costs, and what happens when the money comes.

    to their wait      how many a second reach it, from the request on
    memory             of the saga worker and of Temporal's server, per saga that waits; flat beyond the worker's cache
    first completion   from the money's arrival to the first loan that is paid, booked and settled
    order              whether holds were granted in the order of request

What a hundred thousand would take is estimated from the slope between none and all of those that wait here: take it from a
run of thousands, since the server's collector moves more than some hundred sagas do.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import func, text
from sqlmodel import col, select

from benchmarks.figures import Figure
from benchmarks.flows import approve
from benchmarks.stack import MIB, Bench, rate, running_stack
from core.ids import new_id
from core.money import Money
from inbound.lending.loan_disbursement import start_disbursement
from ledger import chart
from ledger.balances import balance
from ledger.posting import post
from ledger.transfers import Post
from models.tables.lending.loan_disbursement import Disbursement

WARM_UP: Final = 40  # loans that are paid before anything is measured
COMPLETED: Final = 100  # of those that the money reaches are waited for; the rest goes on after the measurement
ESTIMATED: Final = 100_000
_KIB: Final = 1024
_LOOK_EVERY: Final = 0.05
_SETTLES: Final = 3.0  # seconds until processes have let go of what they only needed to get there


async def run(folder: Path, *, sagas: int) -> list[Figure]:
    """Every figure about waiting sagas. A thousand take some minutes on two cores, ten thousand half an hour."""
    async with running_stack(folder) as bench:
        await asyncio.gather(*(_start(bench, loan) for loan in await approve(bench, WARM_UP)))
        await _until_count(bench, "completed", WARM_UP)
        await _empty_wallet(bench)
        loans = await approve(bench, sagas)
        empty = await _memory(bench)
        began = time.monotonic()
        await rate(loans[: sagas // 2], lambda loan: _start(bench, loan))
        await _until_count(bench, "waiting_funds", sagas // 2)
        half = await _memory(bench)
        await rate(loans[sagas // 2 :], lambda loan: _start(bench, loan))
        await _until_count(bench, "waiting_funds", sagas)
        to_wait = sagas / (time.monotonic() - began - _SETTLES)
        full = await _memory(bench)
        arrived = await _money(bench)
        first = await _until_count(bench, "completed", WARM_UP + 1) - arrived
        some = min(COMPLETED, sagas)
        last = await _until_count(bench, "completed", WARM_UP + some) - arrived
        return [
            *_memory_figures(empty, half, full, sagas, bench.settings.worker.max_cached_workflows),
            Figure(f"{sagas:,} loans reach their wait for float", to_wait, "per s"),
            Figure("float arrives: first loan completed", first, "s", None, None, "within 3"),
            Figure(f"float arrives: the next {some - 1}", (some - 1) / (last - first), "per s"),
            Figure("holds granted before an older request's", await _out_of_order(bench), "holds", None, None, "0"),
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Memory:
    """Proportional set sizes in bytes, and what lies on disk."""

    worker: int
    server: int
    disk: int


async def _memory(bench: Bench) -> _Memory:
    await asyncio.sleep(_SETTLES)
    pids = bench.pids()
    async with bench.database.transaction() as session:
        ours = (await session.exec(select(func.pg_database_size(func.current_database())))).one()
    temporal = sum(file.stat().st_size for file in bench.settings.data_dir.glob("temporal.db*"))
    return _Memory(_pss(pids["workers"]), _pss(pids["temporal"]), int(ours) + temporal)


def _pss(pid: int) -> int:
    return int(psutil.Process(pid).memory_full_info().pss)


def _memory_figures(empty: _Memory, half: _Memory, full: _Memory, sagas: int, cache: int) -> list[Figure]:
    cached = min(sagas, cache)
    server_slope = (full.server - empty.server) / sagas
    disk_slope = (full.disk - empty.disk) / sagas
    far = ESTIMATED - sagas
    figures = [
        Figure("worker's memory per cached saga that waits",
               (full.worker - empty.worker) / cached / _KIB, "KiB", None, None, "110 at most"),
        Figure("server's memory per saga that waits", (full.server - empty.server) / sagas / _KIB, "KiB"),
        Figure(f"server's memory with {ESTIMATED:,} waiting, by the slope so far",
               (full.server + far * server_slope) / MIB, "MiB"),
        Figure(f"disk with {ESTIMATED:,} waiting, by the slope so far",
               (full.disk + far * disk_slope) / MIB, "MiB"),
    ]  # fmt: skip
    if sagas // 2 >= cache:
        grown = (full.worker - half.worker) / MIB
        figures.append(Figure("worker's growth beyond its cache", grown, "MiB", None, None, "none"))
    return figures


async def _start(bench: Bench, loan_id: int) -> None:
    await start_disbursement(
        bench.client, bench.database, partner_id=bench.partner_id, loan_id=loan_id, source="poll", requested_by="bench"
    )


async def _empty_wallet(bench: Bench) -> None:
    """All but KES 10.00, which is less than any loan's charges."""
    wallet = chart.partner_wallet(bench.partner_id, "KES")
    async with bench.database.transaction() as session:
        rest = (await balance(session, wallet)).available - Money.parse("10.00", "KES")
        await post(session, Post(new_id("bench"), wallet, chart.bank_funding("KES"), rest, "benchmark"))


async def _money(bench: Bench) -> float:
    """Enough for all, as an administrator credits it; when it was there."""
    amount = {"amount": "5000000.00", "currency": "KES"}
    answer = await bench.api.post(
        f"/partners/{bench.partner_id}/wallet/credits", json={"amount": amount, "reference": new_id("funds")}
    )
    answer.raise_for_status()
    return time.monotonic()


async def _until_count(bench: Bench, stage: str, count: int) -> float:
    """When so many of the partner's loans were at that stage."""
    while True:
        async with bench.database.transaction() as session:
            query = select(func.count(col(Disbursement.id))).where(Disbursement.stage == stage)
            if (await session.exec(query)).one() >= count:
                return time.monotonic()
        await asyncio.sleep(_LOOK_EVERY if count < 200 else _LOOK_EVERY * 10)


_OUT_OF_ORDER: Final = text("""
WITH granted AS (
    SELECT d.created_at AS request, min(t.id) AS hold
      FROM disbursements d JOIN ledger_transfers t ON t.workflow_id = d.workflow_id AND t.kind = 'hold'
     WHERE EXISTS (SELECT FROM saga_events e WHERE e.workflow_id = d.workflow_id AND e.key = 'waiting_funds')
     GROUP BY d.id)
SELECT count(*) FROM (SELECT hold < max(hold) OVER (ORDER BY request) AS late FROM granted) o WHERE late
""")


async def _out_of_order(bench: Bench) -> int:
    async with bench.database.transaction() as session:
        return int((await (await session.connection()).execute(_OUT_OF_ORDER)).scalar_one())
