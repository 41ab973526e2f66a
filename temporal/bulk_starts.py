"""The workflow of a bulk action: `bulk-action/<id>`, one at a time."""

from contextlib import suppress

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from models.messages.bulk_actions import RunBulkAction
from temporal.queues import FLOWS_QUEUE


async def start_bulk_action(client: Client, bulk_id: str) -> None:
    """Starts it unless it runs or has run to its end; one that was terminated or failed begins anew, and goes on from the
    rows. Raises RPCError if Temporal cannot be reached."""
    with suppress(WorkflowAlreadyStartedError):
        await client.start_workflow(
            "BulkAction",
            RunBulkAction(bulk_id=bulk_id),
            id=f"bulk-action/{bulk_id}",
            task_queue=FLOWS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            priority=Priority(fairness_key=bulk_id),  # each its own turn: a long one holds up no other
            static_summary=f"Bulk action {bulk_id}",
        )
