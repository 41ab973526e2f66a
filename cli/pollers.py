"""Is anybody at work on a task queue? Asked of Temporal."""

import contextlib
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError


async def pollers(client: Client, queue: str) -> int:
    """How many workers poll this queue, for workflow tasks or activities; those of the last five minutes count."""
    seen: set[str] = set()
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        with contextlib.suppress(RPCError):
            answer = await client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=5))
            seen |= {poller.identity for poller in answer.pollers}
    return len(seen)
