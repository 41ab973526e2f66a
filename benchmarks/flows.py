"""Disbursements through the whole local stack, beside bare workflows on the same Temporal server in the same run.

The stack is the one of `kivuko up` (real servers, simulators over HTTP, one worker process, one API process) in a folder
of its own. Twenty sagas are in flight at a time, and as many bare workflows.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from temporalio.client import Client
from temporalio.worker import Worker

from benchmarks import money_in, textbook_cost
from benchmarks.bare import BARE_QUEUE, Activities, nothing
from benchmarks.costs import Cost, cost_of
from benchmarks.figures import Figure
from benchmarks.stack import IN_FLIGHT, Bench, rate, running_stack
from inbound.lending.loan_disbursement import start_disbursement
from models.messages.lending.loan_disbursement import DisbursementResult


async def costs(folder: Path, *, sagas: int = 200) -> list[Cost]:
    """What a payment of each kind costs. The bare workflow beside them has five activities and nothing else; the textbook
    disbursement makes the same calls and promises less (benchmarks/textbook.py)."""
    async with running_stack(folder) as bench:
        return await _costs(bench, await approve(bench, _loans_for(sagas)), sagas)


def _loans_for(sagas: int) -> int:
    """How many loans `_costs` needs."""
    return 2 * (sagas + IN_FLIGHT)


async def _costs(bench: Bench, loans: list[int], sagas: int) -> list[Cost]:
    ours, theirs = loans[: sagas + IN_FLIGHT], loans[sagas + IN_FLIGHT :]
    await _disburse(bench, ours[:IN_FLIGHT])  # warm-up
    found = [await cost_of(bench, "disbursement", ours[IN_FLIGHT:], lambda loan: _one(bench, loan))]
    found.append(await textbook_cost.costs(bench, theirs))
    found += await money_in.costs(bench, sagas=sagas // 2)
    async with Worker(bench.client, task_queue=BARE_QUEUE, workflows=[Activities], activities=[nothing]):
        await rate(range(IN_FLIGHT), lambda _: _bare(bench.client, 5))
        found.append(await cost_of(bench, "bare, 5 activities", range(sagas), lambda _: _bare(bench.client, 5)))
    return found


async def run(folder: Path, *, sagas: int = 200) -> tuple[list[Figure], list[Cost]]:
    """Every figure about flows. Takes some minutes on two cores."""
    async with running_stack(folder) as bench:
        loans = await approve(bench, sagas + 60 + _loans_for(sagas))
        found = await _costs(bench, loans[sagas + 60 :], sagas)
        disbursements = await rate(loans[60 : 60 + sagas], lambda loan: _one(bench, loan))
        events, size = await _history(bench, loans[60])
        async with Worker(bench.client, task_queue=BARE_QUEUE, workflows=[Activities], activities=[nothing]):
            await rate(range(IN_FLIGHT), lambda _: _bare(bench.client, 5))
            five = await rate(range(sagas), lambda _: _bare(bench.client, 5))
            one = await rate(range(sagas), lambda _: _bare(bench.client, 1))
        starts = await _latencies(60, lambda: _start_bare(bench.client))
        more = await money_in.run(bench, five, sagas=sagas // 2)
        rest = iter(loans[:60])
        posts = await _latencies(60, lambda: _post(bench, next(rest)))
        figures = [
            Figure("disbursements against bare workflows of five activities", disbursements, "per s", 0.5,
                   disbursements / five, f"half the rate of five or better ({five:.1f} per s)"),
            Figure("disbursements against bare workflows of one activity", disbursements, "per s", None,
                   disbursements / one, f"({one:.1f} per s)"),
            Figure("history of a disbursement", events, "events", None, None, "under 40"),
            Figure("history of a disbursement", size / 1024, "KiB", None, None, None),
            Figure("POST /disbursements, p50", posts[0], "ms", None, posts[0] / starts[0],
                   f"beside start_workflow ({starts[0]:.1f} ms)"),
            Figure("POST /disbursements, p99", posts[1], "ms", None, posts[1] / starts[1],
                   f"beside start_workflow ({starts[1]:.1f} ms)"),
            *more,
            Figure("resident memory of the whole local stack, ready", bench.resident_mib, "MiB", None, None, "under 800"),
            Figure("from start to ready, first start with seeding", bench.seconds_to_ready, "s", None, None, "under 15"),
        ]  # fmt: skip
        return figures, found


async def approve(bench: Bench, count: int) -> list[int]:
    """Loans approved without a hook; each to another phone, since M-Pesa limits what one may receive a day."""
    loans = []
    for number in range(count):
        client = await bench.world.post(
            "/fineract/simulator/clients", json={"displayName": "Bench", "mobileNo": f"2547110{number:05d}"}
        )
        loan = await bench.world.post(
            "/fineract/simulator/loans",
            json={"clientId": client.json()["id"], "productId": 1, "principal": "1250.00", "hook": False},
        )
        loan.raise_for_status()
        loans.append(int(loan.json()["id"]))
    return loans


async def _one(bench: Bench, loan_id: int) -> str:
    started = await start_disbursement(
        bench.client, bench.database, partner_id=bench.partner_id, loan_id=loan_id, source="poll", requested_by="bench"
    )
    handle = bench.client.get_workflow_handle(started.workflow_id, result_type=DisbursementResult)
    result: DisbursementResult = await handle.result()
    assert result.ending == "completed", result
    return started.workflow_id


async def _disburse(bench: Bench, loans: list[int]) -> None:
    await asyncio.gather(*(_one(bench, loan) for loan in loans))


async def _bare(client: Client, activities: int) -> str:
    workflow_id = f"bench/{uuid4()}"
    await client.execute_workflow(Activities.run, activities, id=workflow_id, task_queue=BARE_QUEUE)
    return workflow_id


async def _start_bare(client: Client) -> None:
    await client.start_workflow(Activities.run, 0, id=f"bench/{uuid4()}", task_queue="kivuko-bench-idle")


async def _post(bench: Bench, loan_id: int) -> None:
    answer = await bench.api.post("/disbursements", json={"partner_id": bench.partner_id, "loan_id": loan_id})
    answer.raise_for_status()


async def _latencies(count: int, work: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.4)  # let what this started end, so that the next one is measured alone
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


async def _history(bench: Bench, loan_id: int) -> tuple[int, int]:
    handle = bench.client.get_workflow_handle(f"loan-disbursement/{bench.partner_id}/{loan_id}")
    history = await handle.fetch_history()
    return len(history.events), sum(event.ByteSize() for event in history.events)
