"""Is anybody at work on a task queue, and how much waits there? Asked of Temporal."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from temporal.queues import QUEUE_WORDS, task_queue

_KINDS: Final = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue. `pollers` are those of the last five minutes; `backlog` is about how many tasks wait for one, `oldest` for
    how long the first of them has. `known` is False if Temporal did not say."""

    queue: str
    known: bool
    pollers: int = 0
    backlog: int = 0
    oldest: timedelta = timedelta(0)


async def all_states(client: Client, *, within: timedelta) -> list[QueueState]:
    """Of every queue of the house, asked at once."""
    return list(await asyncio.gather(*(state(client, task_queue(word), within=within) for word in QUEUE_WORDS)))


async def pollers(client: Client, queue: str) -> int:
    """How many workers poll this queue, for workflow tasks or activities; those of the last five minutes count."""
    return (await state(client, queue)).pollers


async def state(client: Client, queue: str, *, within: timedelta = timedelta(seconds=5)) -> QueueState:
    """Raises nothing for a Temporal that is away."""
    seen: set[str] = set()
    backlog, oldest, known = 0, timedelta(0), False
    for kind in _KINDS:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind, report_stats=True
        )
        try:
            async with asyncio.timeout(within.total_seconds()):
                answer = await client.workflow_service.describe_task_queue(request, timeout=within)
        except (RPCError, RuntimeError, TimeoutError):  # RuntimeError: a client that connects when needed, and cannot
            continue
        known = True
        seen |= {poller.identity for poller in answer.pollers}
        backlog += answer.stats.approximate_backlog_count
        oldest = max(oldest, answer.stats.approximate_backlog_age.ToTimedelta())
    return QueueState(queue, known, len(seen), backlog, oldest)
