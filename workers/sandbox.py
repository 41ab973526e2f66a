"""The workflow sandbox, with our own pure packages let through: re-importing them for every run costs eight times the
memory of an open workflow, and makes two of every class."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

OURS = ("activities", "core", "ledger", "models", "notices", "providers", "store", "temporal", "workflows")
THEIRS = (
    "pydantic", "pydantic_core", "httpx", "sqlalchemy", "sqlmodel", "psycopg", "structlog", "phonenumbers",
    "cryptography", "jinja2",
)  # fmt: skip


def runner() -> SandboxedWorkflowRunner:
    """The sandbox stays on: it refuses clocks, randomness and I/O in workflow code."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*OURS, *THEIRS))
