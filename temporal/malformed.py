"""Messages that nobody's code wrote: typed into Temporal's own pages, or sent by a tool that means something else.

The SDK refuses what does not fit a handler's types, but lets `null` and missing arguments through to it; the handler's error
would then fail the saga's task, again and again, and so hold up a payment. Here an update of that kind is refused, and a
signal is dropped.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

# Where the decorator leaves its definition; the SDK has no public way to ask for it.
_MARK: Final = "__temporal_signal_definition"


class RefuseMalformed(Interceptor):
    """For every worker that runs workflows."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def handle_update_validator(self, input: HandleUpdateInput) -> None:
        """What is malformed goes past the validator, to be refused below in the same words wherever there is one."""
        if not _is_malformed(input.args):
            super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        if _is_malformed(input.args):
            raise ApplicationError(f"“{input.update}” takes one JSON object.", type="malformed")
        return await super().handle_update_handler(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        if None in input.args or len(input.args) != _wanted(type(workflow.instance()), input.signal):
            workflow.logger.warning("signal_dropped", extra={"signal": input.signal})
            return
        await super().handle_signal(input)


def _is_malformed(args: Sequence[Any]) -> bool:
    """Every update of ours takes one message."""
    return len(args) != 1 or args[0] is None


def _wanted(workflow_class: type, signal: str) -> int:
    """How many arguments the signal's handler takes."""
    for _, member in inspect.getmembers(workflow_class, inspect.isfunction):
        if getattr(getattr(member, _MARK, None), "name", None) == signal:
            return len(inspect.signature(member).parameters) - 1
    return 0
