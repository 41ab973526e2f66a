"""Everything that `kivuko up` runs, each part health-checked; stopped in reverse order.

A part that the settings place elsewhere (another `KIVUKO_DATABASE__URL`, a `TEMPORAL_ADDRESS`) is used there and not
started here.
"""

import asyncio
import contextlib
import secrets
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from cli.context import write_secret
from cli.local.environment import child_environment, fitted
from cli.local.guard import guard
from cli.local.nursery import SUPPORTED, Nursery
from cli.local.ports import PortTaken, ensure_free
from cli.local.postgres import EmbeddedPostgres
from cli.local.processes import Child, Process, ProcessGroup, StartFailed, end, launch
from cli.local.temporal_server import EmbeddedTemporal
from core.settings import Database, Settings, Worker
from store.migrate import migrate
from temporal.client import connect, connection_config
from temporal.queue_states import pollers
from temporal.queues import FLOWS, MESSAGES, QUEUE_WORDS, task_queue
from temporal.search_attributes import ensure_search_attributes

_WATCH_SECONDS = 1.0
# The secret part of the address at which Temporal's UI has payloads opened; kept, so that an open page goes on working.
CODEC_FILE = "codec.secret"


class LocalStack:
    """The stack of one data folder. `on_progress(part, text)` is told of every step, crash and restart.

    `children` are the programs started beside the servers: leave out the simulators to speak to real providers.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        on_progress: Callable[[str, str], None],
        children: Collection[str] = ("simulators", "workers", "api"),
    ) -> None:
        self._data = settings.data_dir.absolute()
        self._codec_secret = settings.codec.address_secret or _kept_secret(self._data / CODEC_FILE)
        codec = settings.codec.model_copy(update={"address_secret": self._codec_secret})
        self._settings = settings = settings.model_copy(update={"codec": codec})
        self._say = on_progress
        self._children = frozenset(children)
        self._logs = self._data / "logs"
        self._group = ProcessGroup(on_progress)
        self._keeper: asyncio.Task[None] | None = None
        self._nursery: Nursery | None = None
        self._stopping = asyncio.Event()
        self._postgres: EmbeddedPostgres | None = None
        self._temporal: EmbeddedTemporal | None = None
        local = f"127.0.0.1:{settings.temporal.port}"
        self._temporal_address: str = connection_config(settings)["target_host"]
        if settings.database.url == Database().url:
            self._postgres = EmbeddedPostgres(self._data / "postgres", log_file=self._logs / "postgres.log")
        if self._temporal_address == local:
            self._temporal = EmbeddedTemporal(
                self._data / "temporal.db",
                port=settings.temporal.port,
                ui_port=settings.temporal.ui_port,
                namespace=settings.temporal.namespace,
                retention_days=settings.temporal.retention_days,
                codec_endpoint=f"http://{settings.api.host}:{settings.api.port}/codec/by/{self._codec_secret.get_secret_value()}",
                log_file=self._logs / "temporal.log",
            )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def urls(self) -> dict[str, str]:
        """Where to look, by name; complete once the stack has started."""
        settings = self._settings
        api = f"http://{settings.api.host}:{settings.api.port}"
        urls = {
            "api": api,
            "api documentation": f"{api}/docs",
            "simulators": f"http://{settings.simulators.host}:{settings.simulators.port}",
            "temporal": self._temporal_address,
            "database": self._settings.database.url,
        }
        if self._temporal is not None:
            urls["temporal ui"] = f"http://127.0.0.1:{settings.temporal.ui_port}"
        return urls

    @property
    def server_pids(self) -> dict[str, int]:
        """The embedded servers' process ids, by name."""
        servers = {"postgres": self._postgres, "temporal": self._temporal}
        return {name: server.pid for name, server in servers.items() if server is not None and server.alive}

    @property
    def child_pids(self) -> dict[str, int]:
        """The process ids of the programs beside the servers, by name; another one after a crash."""
        return self._group.pids

    @property
    def settings(self) -> Settings:
        """What the child processes run with: once started, with the database's real URL and every port fitted in."""
        return self._settings

    async def start(self) -> None:
        """Raises PortTaken or StartFailed, having stopped again whatever had been started."""
        self._ensure_ports()
        self._stopping.clear()
        _make_private(self._data)
        write_secret(self._data / CODEC_FILE, self._codec_secret.get_secret_value())
        try:
            if SUPPORTED and self._children:  # it imports the programs while the servers start
                log = self._logs / "nursery.log"
                self._nursery = Nursery(sorted(self._children), log, child_environment(self._settings, ""))
            await self._start_servers()
            await self._start_children()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep_servers_up())

    async def stop(self) -> None:
        """Stops children, then Temporal, then PostgreSQL. Returns when all have ended. Idempotent."""
        self._say("stack", "stopping")
        self._stopping.set()
        if self._keeper is not None:
            # Not cancelled: a server that it is just starting again would be left behind.
            await self._keeper
            self._keeper = None
        await self._group.stop()
        if self._nursery is not None:
            self._nursery.close()
            await asyncio.to_thread(end, self._nursery.process)
            self._nursery = None
        if self._temporal is not None:
            await self._temporal.stop()
        if self._postgres is not None:
            await asyncio.to_thread(self._postgres.stop)
        self._say("stack", "stopped")

    def _ensure_ports(self) -> None:
        settings = self._settings
        ensure_free(settings.api.host, settings.api.port, "KIVUKO_API__PORT")
        ensure_free(settings.simulators.host, settings.simulators.port, "KIVUKO_SIMULATORS__PORT")
        ensure_free(settings.simulators.host, settings.simulators.smtp_port, "KIVUKO_SIMULATORS__SMTP_PORT")
        if self._temporal is not None:
            ensure_free("127.0.0.1", settings.temporal.port, "KIVUKO_TEMPORAL__PORT")
            ensure_free("127.0.0.1", settings.temporal.ui_port, "KIVUKO_TEMPORAL__UI_PORT")

    async def _start_servers(self) -> None:
        """Both side by side, each with what has to be made in it before anybody may use it."""
        await _side_by_side(self._start_books(), self._start_temporal())
        self._client = await connect(self._settings)
        await ensure_search_attributes(self._client, self._client.namespace)
        self._say("search attributes", "registered")

    async def _start_books(self) -> None:
        database_url = self._settings.database.url
        if self._postgres is not None:
            self._say("postgres", "starting")
            await _to_its_end(self._postgres.start)
            database_url = self._postgres.url
            self._say("postgres", "ready")
        self._settings = fitted(self._settings, database_url)
        self._say("migrations", "running")
        await _to_its_end(partial(migrate, database_url))
        self._say("migrations", "done")

    async def _start_temporal(self) -> None:
        if self._temporal is not None:
            self._say("temporal", "starting")
            await self._temporal.start()
            self._say("temporal", "ready")

    async def _start_children(self) -> None:
        settings = self._settings
        simulators = f"http://{settings.simulators.host}:{settings.simulators.port}/health"
        api = f"http://{settings.api.host}:{settings.api.port}/health/ready"
        patience = settings.worker.graceful_shutdown_seconds + 5
        # Sagas and provider calls in a process each: one Python process keeps one core busy, and there are more.
        sagas = settings.worker.model_copy(update={"queues": [FLOWS, MESSAGES]})
        calls = settings.worker.model_copy(update={"queues": [word for word in QUEUE_WORDS if word != FLOWS]})
        wanted = (
            ("simulators", "simulators", settings, lambda: _answers(simulators), 10.0),
            ("workers", "workers", settings.model_copy(update={"worker": sagas}), self._polled(sagas), patience),
            ("workers", "callers", settings.model_copy(update={"worker": calls}), self._polled(calls), patience),
            ("api", "api", settings, lambda: _answers(api), settings.api.max_wait_seconds + 5),
        )
        # None needs another to start.
        await _side_by_side(*(self._start_child(*child) for child in wanted if child[0] in self._children))

    async def _start_child(
        self, module: str, name: str, settings: Settings, healthy: Callable[[], Awaitable[bool]], grace: float
    ) -> None:
        self._say(name, "starting")
        log, env = self._logs / f"{name}.log", child_environment(settings, self._temporal_address)

        def start() -> Process:
            """Forked, where there is a nursery; it may have died since."""
            if self._nursery is not None:
                with contextlib.suppress(OSError):
                    forked = self._nursery.fork(module, log, env)
                    guard(forked.pid)
                    return forked
            return launch([sys.executable, "-m", module], log, env=env)

        await self._group.start(
            Child(
                name,
                [sys.executable, "-m", module],
                log,
                env=env,
                start=start,
                healthy=healthy,
                start_deadline=60.0,
                stop_grace=grace,
            )
        )
        self._say(name, "ready")

    def _polled(self, worker: Worker) -> Callable[[], Awaitable[bool]]:
        """Whether Temporal sees somebody polling each of this worker's queues."""

        async def polled() -> bool:
            return all([await pollers(self._client, task_queue(word)) for word in worker.queues if word in QUEUE_WORDS])

        return polled

    async def _keep_servers_up(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _WATCH_SECONDS)
                return
            try:
                if self._postgres is not None and not self._postgres.alive:
                    self._say("postgres", "ended by itself, starting again")
                    await asyncio.to_thread(self._postgres.start)
                    self._say("postgres", "ready")
                if self._temporal is not None and not self._temporal.alive:
                    self._say("temporal", "ended by itself, starting again")
                    await self._temporal.start()
                    self._say("temporal", "ready")
            except (StartFailed, PortTaken) as error:
                self._say("stack", str(error))


async def _side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Raises what the first to fail raised, once the others have cleaned up."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except* Exception as failed:
        raise failed.exceptions[0] from None


async def _to_its_end(work: Callable[[], None]) -> None:
    """Runs blocking work in a thread; if cancelled, waits for it first, so that what it started can be stopped."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=5) as http:
        try:
            return (await http.get(url)).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def _kept_secret(file: Path) -> SecretStr:
    return SecretStr(file.read_text(encoding="utf-8").strip() if file.is_file() else secrets.token_hex(32))


def _make_private(folder: Path) -> None:
    """The folder holds books, logs and keys: for its owner alone, also what an earlier start left open."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for path in (*folder.iterdir(), *(folder / "logs").glob("*")):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o600)
