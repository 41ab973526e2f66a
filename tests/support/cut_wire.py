"""A wire to PostgreSQL that can be cut: what was sent before still takes effect, and its answer is never heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.engine import make_url


@dataclass
class Wire:
    """Connections from a worker to the server, through us. `cut` breaks those that are open; new ones work."""

    server: Path
    url: str = ""
    ends: set[asyncio.StreamWriter] = field(default_factory=set)
    carrying: set[asyncio.Task[None]] = field(default_factory=set)

    def cut(self) -> None:
        for end in self.ends:
            end.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_unix_connection(str(self.server))
        ends = {writer, their_writer}
        self.ends |= ends
        try:
            ways = [_carry(reader, their_writer), _carry(their_reader, writer)]
            tasks = [asyncio.create_task(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.ends -= ends
            for end in ends:
                end.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def wire_to(database_url: str) -> AsyncIterator[Wire]:
    """A wire to the server behind this libpq URL, which names a Unix socket; `wire.url` is the way through it."""
    query = parse_qs(urlsplit(database_url).query)
    wire = Wire(Path(query["host"][0]) / f".s.PGSQL.{query['port'][0]}")
    server = await asyncio.start_server(wire.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire.url = (
        make_url(database_url)
        .set(host="127.0.0.1", port=port, query={})
        .render_as_string(hide_password=False)
    )  # fmt: skip
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
