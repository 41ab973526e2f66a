"""A Temporal server for tests that can skip time, with our sealed payloads and our search attributes."""

from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from cli.local.temporal_server import temporal_binary
from core.crypto import KeyRing
from temporal.converter import data_converter
from temporal.search_attributes import ALL

# A key for tests alone; golden histories are sealed with it.
TEST_PAYLOAD_KEYS = {"test-1": "a2l2dWtvLXRlc3RzLW9ubHktcGF5bG9hZC1rZXktMDE="}
TEST_CONVERTER = data_converter(KeyRing(TEST_PAYLOAD_KEYS, "test-1"))

_DYNAMIC_CONFIG = {
    "frontend.WorkflowTimeSkippingEnabled": "true",  # server 1.32 reads this name, later ones the next
    "system.workflowTimeSkippingEnabled": "true",
    "history.timerProcessorMaxTimeShift": '"1ms"',  # else every skip costs a second
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "matching.enableFairness": "true",
}


async def start_environment() -> WorkflowEnvironment:
    """Time stands still only where a test says so: workflows run in real time until `fast_forward`."""
    arguments = [
        part for name, value in _DYNAMIC_CONFIG.items() for part in ("--dynamic-config-value", f"{name}={value}")
    ]
    return await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(temporal_binary()),
        dev_server_extra_args=arguments,
        dev_server_log_level="error",
        dev_server_startup_timeout=timedelta(seconds=30),
        data_converter=TEST_CONVERTER,
        search_attributes=ALL,
        ts_config=TimeSkippingConfig(enabled=False),
    )


async def skip(environment: WorkflowEnvironment, handle: WorkflowHandle[Any, Any], duration: timedelta) -> None:
    """Moves this workflow's clock forward, firing every timer on the way. No other workflow notices."""
    await environment.fast_forward(handle, duration)
