"""A Temporal that is away is one kind of error, whether a connection broke or was never made.

A lazy client that cannot connect raises RuntimeError, where everyone handles RPCError with the status UNAVAILABLE.
"""

from collections.abc import Awaitable
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    CreateScheduleInput,
    Interceptor,
    OutboundInterceptor,
    QueryWorkflowInput,
    ScheduleHandle,
    SignalWorkflowInput,
    StartWorkflowInput,
    StartWorkflowUpdateInput,
    UpdateScheduleInput,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from core.settings import Settings
from temporal.client import connect

T = TypeVar("T")


async def connect_when_needed(settings: Settings) -> Client:
    """A client that connects at its first call, so that the front door opens while Temporal is still away."""
    return await connect(settings, lazy=True, interceptors=[_OneKindOfAway()])


class _OneKindOfAway(Interceptor):
    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    """The calls that the API makes."""

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:
        return await _reached(super().start_workflow(input))

    async def signal_workflow(self, input: SignalWorkflowInput) -> None:
        await _reached(super().signal_workflow(input))

    async def query_workflow(self, input: QueryWorkflowInput) -> Any:
        return await _reached(super().query_workflow(input))

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        return await _reached(super().start_workflow_update(input))

    async def create_schedule(self, input: CreateScheduleInput) -> ScheduleHandle:
        return await _reached(super().create_schedule(input))

    async def update_schedule(self, input: UpdateScheduleInput) -> None:
        await _reached(super().update_schedule(input))


async def _reached(call: Awaitable[T]) -> T:
    try:
        return await call
    except RuntimeError as error:
        if "client connect" not in str(error):
            raise
        raise RPCError("Temporal cannot be reached.", RPCStatusCode.UNAVAILABLE, b"") from error
