"""The runner of workflow code, and what of it is left out."""

from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.worker import UnsandboxedWorkflowRunner

from core.settings import Settings
from temporal.client import key_ring
from temporal.converter import data_converter
from workers.sandbox import runner


def test_a_payload_is_sealed_alike_whomever_it_is_for(settings: Settings) -> None:
    """What the runner relies on when it does not ask whom a payload is for."""
    converter = data_converter(key_ring(settings))
    for context in (
        WorkflowSerializationContext(namespace="default", workflow_id="loan-disbursement/1"),
        ActivitySerializationContext(
            namespace="default", workflow_id="loan-disbursement/1", workflow_type="LoanDisbursement",
            activity_type="payouts.send", activity_id="1", activity_task_queue="kivuko-mpesa", is_local=False,
        ),
    ):  # fmt: skip
        assert converter.with_context(context) is converter
    assert converter.external_storage is None


def test_the_sandbox_is_left_out_only_where_the_settings_say_so() -> None:
    assert Settings(_env_file=None).worker.sandbox
    assert not isinstance(runner(), UnsandboxedWorkflowRunner)
    assert isinstance(runner(sandboxed=False), UnsandboxedWorkflowRunner)
