"""A hook's word that a loan was approved: looked at first, and only then claimed and paid (a hook starts nothing for a loan
that does not exist)."""

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy

from models.messages.lending.loan_watch import LoanHint
from temporal.queues import FLOWS_QUEUE


async def give(client: Client, hint: LoanHint) -> str:
    """The outcome for the inbox. One look at a loan at a time, however often it is told; the poll finds what one misses.
    Raises RPCError where Temporal could not be reached."""
    await client.start_workflow(
        "LoanLook",
        hint,
        id=f"loan-look/{hint.partner_id}/{hint.loan_id}",
        task_queue=FLOWS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        priority=Priority(fairness_key=hint.partner_id),
    )
    return "taken"
