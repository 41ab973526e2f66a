"""The outermost layer: gives each request its id, bounds bodies in size and time, measures, logs one line without any path,
tells browsers what they may do, and lets no error out as it is."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.browser_headers import HEADERS, HSTS
from api.http.metrics import Metrics
from api.http.problems import internal, problem
from api.http.request_ids import HEADER, id_of

log = structlog.get_logger()

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked by machines every few seconds; a line for each would bury the others.
_QUIET: Final = frozenset({"/health/live", "/health/ready", "/metrics"})


class RequestMiddleware:
    """ASGI middleware. A path is never logged: callback and hook addresses hold their secrets in it."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        max_body_bytes: int,
        body_seconds: float = 15.0,
        https_only: bool = False,
    ) -> None:
        """`https_only` tells browsers never to come without TLS again."""
        self._app, self._metrics, self._limit, self._seconds = app, metrics, max_body_bytes, body_seconds
        self._headers = (*HEADERS, HSTS) if https_only else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = id_of(scope)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._serve(scope, receive, send, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status = time.perf_counter(), 0
        body = _Body(scope, receive, self._limit, self._seconds)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._with_ours(message.get("headers", []), body, request_id)}
            await send(message)

        self._metrics.running.inc()
        try:
            if self._announces_too_much(scope):
                await _too_large(self._limit)(scope, receive, answer)
            else:
                await self._app(scope, body, answer)
        except Exception as error:
            response = internal(error)
            if status:
                raise  # the answer is half sent; only cutting the connection tells the caller
            await response(scope, receive, answer)
        finally:
            self._metrics.running.dec()
            self._record(scope, status, time.perf_counter() - started)

    def _with_ours(
        self, headers: Iterable[tuple[bytes, bytes]], body: "_Body", request_id: str
    ) -> list[tuple[bytes, bytes]]:
        """What the answer says of itself stands; of ours it gets the rest. Nobody waits for the rest of a body that was
        answered before it came."""
        given = [*headers, *([(b"connection", b"close")] if body.outstanding else [])]
        names = {name.lower() for name, _ in given}
        ours = [header for header in self._headers if header[0] not in names]
        return [*given, *ours, (HEADER, request_id.encode())]

    def _announces_too_much(self, scope: Scope) -> bool:
        length = dict(scope["headers"]).get(b"content-length", b"")
        return length.isdigit() and int(length[:20]) > self._limit

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "(none)"
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        self._metrics.request(method, route, status, seconds)
        if route not in _QUIET:
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000))


class _Body:
    """A request's body as the application reads it: ended by 413 once it has given more than `limit` bytes, and by 408 if it
    has not come whole within its time, which runs on between its pieces. A slow body would hold what its request claims."""

    def __init__(self, scope: Scope, receive: Receive, limit: int, seconds: float) -> None:
        self._receive, self._limit, self._seconds = receive, limit, seconds
        self._until = asyncio.get_running_loop().time() + seconds
        self._taken = 0
        names = {name for name, _ in scope["headers"]}
        self.outstanding = b"transfer-encoding" in names or dict(scope["headers"]).get(b"content-length", b"0") != b"0"

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until if self.outstanding else None):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"The body must have come within {self._seconds:g} seconds.") from None
        if message["type"] == "http.request":
            self.outstanding = bool(message.get("more_body", False))
            self._taken += len(message.get("body", b""))
            if self._taken > self._limit:
                raise HTTPException(413, f"A body may have {self._limit} bytes.")
        return message


def _too_large(limit: int) -> ASGIApp:
    return problem(413, "body_too_large", f"A body may have {limit} bytes.")
