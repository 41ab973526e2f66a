"""The simulators over real HTTP: one server a test session, an empty world for each test."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from cli.local.ports import free_port

if TYPE_CHECKING:
    from simulators.documents import Memory
    from simulators.world import World


@dataclass(frozen=True)
class RunningSimulators:
    """`url` has no slash at its end; `world` is the simulators' memory; mail is taken at `smtp_port` of 127.0.0.1."""

    url: str
    world: "World"
    smtp_port: int


@dataclass(frozen=True)
class SharedSimulators:
    server: "AppServer"
    running: RunningSimulators
    memory: "Memory"

    def start_over(self) -> RunningSimulators:
        """An empty world, no faults, and nothing on its way any more."""
        self.server.run(self._start_over())
        return self.running

    async def _start_over(self) -> None:
        await self.server.drop_requests()
        await self.running.world.start_over(self.memory)


class AppServer:
    """uvicorn on a free loopback port, in a thread of its own: a test that blocks does not stop the server's clock."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            self._dispatch,
            interface="asgi3",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulators")
        self._requests: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the simulators' server did not start")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive(), "the simulators' server did not stop"

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Does this on the server's loop."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def drop_requests(self) -> None:
        """Whatever is still being answered stops, as if the server had been killed."""
        requests = list(self._requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    @contextmanager
    def serving(self, app: FastAPI) -> Iterator[None]:
        """Serves `app`, its lifespan included, for the length of the block."""
        assert self._loop is not None
        started, finished = threading.Event(), asyncio.Event()
        run = asyncio.run_coroutine_threadsafe(self._live(app, started, finished), self._loop)
        run.add_done_callback(lambda _: started.set())
        started.wait(10)
        try:
            if run.done():
                run.result()
            yield
        finally:
            if not run.done():
                self._loop.call_soon_threadsafe(finished.set)
            run.result(10)

    async def _live(self, app: FastAPI, started: threading.Event, finished: asyncio.Event) -> None:
        async with app.router.lifespan_context(app):
            self._app = app
            started.set()
            await finished.wait()
            self._app = None

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._server.serve(sockets=[self._socket])

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            raise RuntimeError("a request arrived between two tests")
        request = asyncio.current_task()
        assert request is not None
        self._requests.add(request)
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests.discard(request)


@contextmanager
def running_simulators(server: AppServer) -> Iterator[SharedSimulators]:
    """The simulators and their mail sink, for many tests one after the other: building them costs a third of a second."""
    # Imported here: what needs no simulator must not wait for all of them.
    from simulators.app import create_simulators

    smtp_port = free_port()
    app = create_simulators(smtp_port=smtp_port)
    with server.serving(app):
        world: World = app.state.world
        yield SharedSimulators(server, RunningSimulators(server.url, world, smtp_port), world.documents.copy())
