"""Calling addresses that somebody else chose: resolved once, every address vetted, the vetted address dialled.

A host is vetted by what it resolves to, never by its spelling, so `2130706433`, `0x7f.1`, a name that points inside and a
name that answers differently the second time are one case. TLS still checks the certificate for the host that was asked
for. All refusals look alike: whoever chose the address learns nothing of what stands behind it.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx
import structlog

from core.addresses import DiallingRules, parsed
from core.clock import utc_now
from core.errors import InvalidRequest

log = structlog.get_logger()

REFUSED_CODE: Final = "address_refused"
REFUSED_TEXT: Final = "This address leads to no server that may be called from here."

# Host and port to addresses as text; raises OSError for a name that nobody knows.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class AddressRefused(Exception):
    """Nothing was dialled."""


class TooLate(Exception):
    """The moment until which the request might be sent had passed; nothing of it was sent."""


@dataclass(slots=True)
class Handover:
    """One request on its way to the socket: until when its first byte may leave, and whether it has."""

    not_after: datetime | None
    begun: bool = False


handover: ContextVar[Handover | None] = ContextVar("handover", default=None)


async def resolve(host: str, port: int) -> Sequence[str]:
    """What this machine's resolver says. It reads every spelling that the operating system's connect would."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def vetted(rules: DiallingRules, host: str | bytes, port: int, resolver: Resolver = resolve) -> list[str]:
    """The addresses to dial. Raises AddressRefused if there is none, or if any one is not allowed: a name that points both
    outside and inside is an attack or a mistake."""
    name = host.decode("ascii", errors="replace") if isinstance(host, bytes) else host
    try:
        found = await resolver(name, port)
    except (OSError, UnicodeError) as error:
        raise _refused(name, port, f"does not resolve ({type(error).__name__})") from None
    addresses = [parsed(text) for text in found]
    refused = [text for text, address in zip(found, addresses, strict=True)
               if address is None or not rules.allow(name, address, port)]  # fmt: skip
    if refused or not addresses:
        raise _refused(name, port, f"resolves to {', '.join(refused[:3]) or 'nothing'}")
    return [str(address) for address in addresses]


async def refuse_address(url: str, rules: DiallingRules, *, field: str, resolver: Resolver = resolve) -> None:
    """Raises InvalidRequest naming the field, for an address that would be refused when it is called."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise InvalidRequest(REFUSED_TEXT, code=REFUSED_CODE, field=field) from None
    if parts.username is None and parts.hostname and (parts.scheme == "https" or rules.insecure):
        try:
            await vetted(rules, parts.hostname, port, resolver)
            return
        except AddressRefused:
            pass
    raise InvalidRequest(REFUSED_TEXT, code=REFUSED_CODE, field=field)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to vetted addresses alone, and knows when the first byte of a request leaves."""

    def __init__(self, rules: DiallingRules, resolver: Resolver = resolve) -> None:
        self._rules, self._resolver = rules, resolver
        self._dialler = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises AddressRefused, httpcore's ConnectTimeout or ConnectError."""
        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout):
                addresses = await vetted(self._rules, host, port, self._resolver)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the resolver did not answer") from None
        failure: Exception = httpcore.ConnectError("no address")
        for tried, address in enumerate(addresses):
            left = None if timeout is None else (timeout - (time.monotonic() - started)) / (len(addresses) - tried)
            if left is not None and left <= 0:
                raise httpcore.ConnectTimeout("no time left to connect")
            try:
                stream = await self._dialler.connect_tcp(
                    address, port, timeout=left, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _Watched(stream)
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise _refused(path, 0, "a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Watched(httpcore.AsyncNetworkStream):
    """A stream that asks, right before a request's first byte, whether it may still leave."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        request = handover.get()
        if request is not None and not request.begun:
            if request.not_after is not None and utc_now() >= request.not_after:
                raise TooLate
            request.begun = True
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Watched(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over connections of our own making. Names no proxy and no Unix socket."""

    def __init__(
        self, rules: DiallingRules, *, tls: ssl.SSLContext, idle_seconds: float, resolver: Resolver = resolve
    ) -> None:
        super().__init__(verify=tls, trust_env=False)
        self._rules = rules
        # httpx's transport takes no backend; this pool replaces the one that it made, which holds no connection yet.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=idle_seconds,
            network_backend=GuardedBackend(rules, resolver),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme != "https" and not self._rules.insecure:
            raise _refused(request.url.host, request.url.port or 80, "is not HTTPS")
        return await super().handle_async_request(request)


def _refused(host: str, port: int, why: str) -> AddressRefused:
    log.warning("address_refused", host=host[:253], port=port, why=why)
    return AddressRefused()
