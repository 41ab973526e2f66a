"""Resets of sagas: what one click in the Temporal UI does, to every point of a saga's history."""

import uuid

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client


async def completed_tasks(client: Client, workflow_id: str, run_id: str) -> list[int]:
    """The ids of the events that end a workflow task of this run: the points that a reset can go back to."""
    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    return [e.event_id for e in history.events if e.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]


async def first_run(client: Client, workflow_id: str) -> str:
    """The run that the workflow id names now."""
    described = await client.get_workflow_handle(workflow_id).describe()
    assert described.run_id is not None
    return described.run_id


async def reset(client: Client, workflow_id: str, run_id: str, event_id: int, *, forget_updates: bool = False) -> str:
    """Goes back to just before that task of that run was completed; the new run's id. The run that goes on is ended.
    `forget_updates`: what people and providers said afterwards is not said again."""
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            reason="a person clicked",
            workflow_task_finish_event_id=event_id,
            request_id=str(uuid.uuid4()),
            reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE]
            if forget_updates
            else [],
        )
    )
    return answer.run_id
