"""A payment that a lender's Fineract says it recorded: kept before the hook is answered, then thought over by one workflow
however often it is told (A11)."""

from typing import Any

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from models.messages.inbound import Reading
from models.messages.lending.payment_notice import PaymentRecorded
from temporal.queues import FLOWS_QUEUE


def workflow_id_of(recorded: PaymentRecorded) -> str:
    """`payment-notice/prt_…/loan/91/77`."""
    return f"payment-notice/{recorded.partner_id}/{recorded.kind}/{recorded.account_id}/{recorded.transaction_id}"


def notice(recorded: PaymentRecorded, body: Any) -> Reading:
    """For the inbox. Fineract's hooks are sent once, so nobody would tell us again."""
    workflow_id = workflow_id_of(recorded)
    return Reading(
        provider="fineract",
        kind="recorded",
        external_id=workflow_id,
        workflow_id=workflow_id,
        reference=str(recorded.transaction_id),
        body=body,
        report=recorded.model_dump(mode="json"),
        partner_id=recorded.partner_id,
    )


async def give(client: Client, recorded: PaymentRecorded) -> str:
    """The outcome for the inbox. Raises RPCError where Temporal could not be reached."""
    try:
        await client.start_workflow(
            "PaymentNotice",
            recorded,
            id=workflow_id_of(recorded),
            task_queue=FLOWS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            priority=Priority(fairness_key=recorded.partner_id),
        )
    except WorkflowAlreadyStartedError:
        return "redundant"
    return "taken"
