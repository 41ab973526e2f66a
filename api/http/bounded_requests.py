"""Refuses what no part of the API should parse, before any does: addresses with characters that no id has, and JSON whose
nesting, numbers or size would cost more than the request is worth. Providers' messages are stored as they come, and bounded
where they are read (`inbound/`)."""

import unicodedata
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.problems import FieldError, problem
from core.bounded_json import BeyondBounds, check_json

# A callback's address is the longest: its route and signature in hex.
_LONGEST_PART: Final = 1024
_LONGEST_ADDRESS: Final = 4096
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_CALLBACKS: Final = "/cb/"


class BoundedRequests:
    """ASGI middleware. A bad path is a place that does not exist (404), a bad query or body is refused (422, 400)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = _of_path(scope["path"]) or _of_query(scope.get("query_string", b""))
        if refused is not None:
            await refused(scope, receive, send)
            return
        if not _is_json(scope):
            await self._app(scope, receive, send)
            return
        try:
            body, messages = await _read(receive)
            check_json(body)
        except HTTPException as refused_outside:
            await self._app(scope, _raising(refused_outside), send)
            return
        except BeyondBounds as beyond:
            await problem(400, "malformed_json", f"The body cannot be taken. {beyond}")(scope, receive, send)
            return
        await self._app(scope, _again(messages, receive), send)


def _of_path(path: str) -> ASGIApp | None:
    plain = len(path) <= _LONGEST_ADDRESS and all(len(part) <= _LONGEST_PART for part in path.split("/"))
    if plain and ((path.isascii() and path.isprintable()) or all(unicodedata.category(c) not in _UNSEEN for c in path)):
        return None
    return problem(404, "not_found", "There is nothing here.")


def _of_query(query: bytes) -> ASGIApp | None:
    """Text of strangers may hold much, but no NUL, which the database cannot."""
    if len(query) <= _LONGEST_ADDRESS and b"\0" not in unquote_to_bytes(query):
        return None
    named = [
        part.partition(b"=")[0] for part in query.split(b"&") if b"\0" in unquote_to_bytes(part.partition(b"=")[2])
    ]
    field = unquote_to_bytes(named[0]).decode("ascii", errors="replace")[:40] if named else "query"
    fault = FieldError(field=field, rule="not_text", detail="It is too long, or holds characters that are no text.")
    return problem(422, "validation_failed", "The query cannot be read.", fields=[fault])


def _is_json(scope: Scope) -> bool:
    """What the framework would take for JSON; it does so as well where nothing is said."""
    if scope["method"] not in ("POST", "PUT", "PATCH", "DELETE") or scope["path"].startswith(_CALLBACKS):
        return False
    kind = dict(scope["headers"]).get(b"content-type", b"application/json")
    return b"json" in kind.lower()


async def _read(receive: Receive) -> tuple[bytes, list[Message]]:
    """The whole body (the layer outside bounds it) and the messages that brought it."""
    body, messages = bytearray(), []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body), messages


def _raising(error: HTTPException) -> Receive:
    """The layer outside ended the body (it grew too large); whoever reads it inside is told so there, where errors become
    problems."""

    async def take() -> Message:
        raise error

    return take


def _again(messages: list[Message], receive: Receive) -> Receive:
    """The same messages once more, then what comes."""
    told = iter(messages)

    async def take() -> Message:
        found = next(told, None)
        return found if found is not None else await receive()

    return take
