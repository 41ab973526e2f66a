"""The workflow sandbox, with our own pure packages let through: re-importing them for every run costs eight times the
memory of an open workflow, and makes two of every class."""

from typing import Any

from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

OURS = ("activities", "core", "ledger", "models", "notices", "providers", "store", "temporal", "workflows")
THEIRS = (
    "pydantic", "pydantic_core", "httpx", "sqlalchemy", "sqlmodel", "psycopg", "structlog", "phonenumbers",
    "cryptography", "jinja2",
)  # fmt: skip


class _ContextFree(SandboxedWorkflowRunner):
    """Does not enter the sandbox for every payload to ask whom it is for: our converter seals all alike, and stores none
    elsewhere. That was a seventh of a saga worker's time."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance: Any = super().create_instance(det)
        instance.get_serialization_context = lambda command_info: None
        instance.get_external_store_context = lambda command_info: StorageDriverStoreContext(target=None)
        created: WorkflowInstance = instance
        return created


def runner(*, sandboxed: bool = True) -> WorkflowRunner:
    """The sandbox refuses clocks, randomness and I/O in workflow code. Tests and the replay of histories keep it on; code
    that has passed them may run without it (`KIVUKO_WORKER__SANDBOX=false`), which takes less of the processor."""
    if not sandboxed:
        return UnsandboxedWorkflowRunner()
    return _ContextFree(restrictions=SandboxRestrictions.default.with_passthrough_modules(*OURS, *THEIRS))
