"""The embedded Temporal server: it keeps workflows and retention over restarts, and answers on its own port only."""

import socket
import uuid
from pathlib import Path

import psutil
import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus

from cli.local.ports import PortTaken, free_port
from cli.local.processes import StartFailed
from cli.local.temporal_server import EmbeddedTemporal
from temporal.search_attributes import ALL, STAGE, ensure_search_attributes


def _server(folder: Path, namespace: str = "default") -> EmbeddedTemporal:
    return EmbeddedTemporal(folder / "temporal.db", port=free_port(), ui_port=None, namespace=namespace)


async def test_a_workflow_survives_a_restart_at_once(tmp_path: Path) -> None:
    server = _server(tmp_path)
    workflow_id = f"waits-for-a-worker/{uuid.uuid4()}"
    async with server:
        client = await Client.connect(server.address)
        await client.start_workflow("Anything", id=workflow_id, task_queue="nobody-polls")
        first = server.pid
    assert not psutil.pid_exists(first)
    assert not await server.health()
    async with server:
        client = await Client.connect(server.address)
        found = await client.get_workflow_handle(workflow_id).describe()
        assert found.status is WorkflowExecutionStatus.RUNNING


async def test_closed_workflows_are_kept_as_long_as_told_in_any_namespace(tmp_path: Path) -> None:
    async with _server(tmp_path, namespace="payments") as server:
        client = await Client.connect(server.address, namespace="payments")
        described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="payments"))
        assert described.config.workflow_execution_retention_ttl.seconds == 90 * 24 * 3600


async def test_search_attributes_can_be_ensured_again_on_an_existing_database(tmp_path: Path) -> None:
    async with _server(tmp_path) as server:
        client = await Client.connect(server.address)
        for _ in range(2):
            await ensure_search_attributes(client, "default")
    async with server:
        client = await Client.connect(server.address)
        await ensure_search_attributes(client, "default")
        assert {key.name for key in ALL} == {"KivukoStage", "KivukoPartner", "KivukoProvider"}
        # The server refuses a query by an attribute that it does not know.
        assert [found async for found in client.list_workflows(f"{STAGE.name} = 'none'")] == []


async def test_a_taken_port_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = EmbeddedTemporal(tmp_path / "temporal.db", port=taken.getsockname()[1], ui_port=None)
        with pytest.raises(PortTaken, match="KIVUKO_TEMPORAL__PORT"):
            await server.start()


async def test_a_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "temporal.db").write_text("not a database, and long enough to be looked at" * 100)
    server = _server(tmp_path)
    with pytest.raises(StartFailed, match=r"temporal\.log"):
        await server.start()
    assert not server.alive
