"""The API as a process of its own."""

import asyncio
import os
import signal
import sys

import httpx
import pytest

from cli.local.ports import free_port
from tests.architecture.house import ROOT
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


async def test_the_process_opens_without_temporal_and_ends_well_when_it_is_asked_to(database_url: str) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KIVUKO_DATABASE__URL": database_url,
        "KIVUKO_API__PORT": str(port),
        "TEMPORAL_ADDRESS": "127.0.0.1:9",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with httpx.AsyncClient(verify=False, base_url=f"http://127.0.0.1:{port}") as http:

            async def answers() -> bool:
                try:
                    return (await http.get("/health/live")).status_code == 200
                except httpx.TransportError:
                    return False

            await eventually(answers, timeout=40)
            ready = await http.get("/health/ready")
            assert (ready.status_code, ready.json()["temporal"]) == (200, "unavailable")
            assert (await http.get("/cb/hooks/my-secret/")).status_code == 404
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()
    assert "route=/cb/hooks/{secret}/" in output.decode()
    assert "my-secret" not in output.decode()
