"""Real servers on loopback for the tests of messages: an application over HTTP, and servers that misbehave."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from core.addresses import HOUSE_CHOSEN
from core.msisdn import Msisdn
from providers.ports import Endpoint, Exchange
from simulators.africastalking.routes import routes as africastalking_routes
from simulators.damza.routes import routes as damza_routes
from simulators.world import World

GOLDEN = Path(__file__).parents[1] / "golden" / "sms"
PHONE = Msisdn("+254712000111")
TEXT = "KVK-77 Wanjiru, your loan of KES 5,000.00 is paid."


def golden(name: str) -> dict[str, Any]:
    """A sample of the vendor's: `source`, `http_status`, `body`."""
    sample: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return sample


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The application on a free port, as its base URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=2)
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    for _ in range(500):
        if server.started or task.done():
            break
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


@asynccontextmanager
async def gateways(world: World) -> AsyncIterator[str]:
    """Both SMS gateways' simulators, under /damza and /africastalking."""
    app = FastAPI()
    app.include_router(damza_routes(world), prefix="/damza")
    app.include_router(africastalking_routes(world), prefix="/africastalking")
    async with serving(app) as url:
        yield url


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server that says exactly what `talk` writes, then hangs up; yields its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def http_answer(status: str, body: str, *headers: str) -> Callable[..., Awaitable[None]]:
    """A talk that reads one request and gives this answer."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
        writer.write(f"{head}\r\n\r\n{body}".encode())
        await writer.drain()

    return talk


def endpoint(base_url: str, *, patience: float = 5.0) -> Endpoint:
    return Endpoint(
        base_url, connect_timeout=timedelta(seconds=2), read_timeout=timedelta(seconds=patience), rules=HOUSE_CHOSEN
    )


def client_side_log(caplog: pytest.LogCaptureFixture) -> str:
    """Every captured line but those of the simulator's web server, which pytest attaches its handler to as well."""
    return "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn"))


class Notebook:
    """An exchange recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    async def __call__(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
