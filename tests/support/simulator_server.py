"""The simulators over real HTTP: one server a test session, a new application with an empty world for each test."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from cli.local.ports import free_port

if TYPE_CHECKING:
    from simulators.world import World


@dataclass(frozen=True)
class RunningSimulators:
    """`url` has no slash at its end; `world` is the simulators' memory; mail is taken at `smtp_port` of 127.0.0.1."""

    url: str
    world: "World"
    smtp_port: int


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

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the simulators' server did not start")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive(), "the simulators' server did not stop"

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
        await self._app(scope, receive, send)


@contextmanager
def running_simulators(server: AppServer) -> Iterator[RunningSimulators]:
    """The simulators with an empty world, no faults and their own mail sink."""
    # Imported here: what needs no simulator must not wait for all of them.
    from simulators.app import create_simulators

    smtp_port = free_port()
    app = create_simulators(smtp_port=smtp_port)
    with server.serving(app):
        yield RunningSimulators(server.url, app.state.world, smtp_port)
