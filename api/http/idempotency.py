"""`Idempotency-Key`: the same key and body get the same answer, other content a conflict.

The key is claimed, with the body's hash, in one insert before anything is done; the answer is stored in the transaction
of the effect, so that a crash leaves both or neither. A request that fails gives its claim back.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, Request
from pydantic import BaseModel
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.responses import JSONResponse, Response

from api.http.auth import Anyone, Principal
from api.http.dependencies import Services, ServicesDep
from core.errors import Conflict
from models.tables.platform.security import IdempotencyKey
from store.platform import idempotency
from store.platform.idempotency import Claim

_NAME: Final = "Idempotency-Key"
_FORM: Final = r"^[!-~]{1,128}$"
_SAID: Final = "1 to 128 visible ASCII characters, per API key. The same key and body get the same answer."

Key = Annotated[str | None, Header(alias=_NAME, pattern=_FORM, description=_SAID, examples=["loan-91-first"])]
RequiredKey = Annotated[
    str,
    Header(
        alias=_NAME,
        pattern=_FORM,
        description=f"{_SAID} Required: nothing else tells a repeated request from a second one.",
        examples=["top-up-2026-11-21-1"],
    ),
]


class Replayed(Exception):
    """The request was answered before; this is that answer."""

    def __init__(self, row: IdempotencyKey, answer: Any) -> None:
        super().__init__("replayed")
        self.status, self.answer, self.location = row.status or 200, answer, row.location


class Once:
    """One POST. Its `reply` is remembered under the key, if the caller gave one."""

    def __init__(self, services: Services, claim: Claim | None) -> None:
        self._services, self._claim = services, claim
        self._kept = False

    @property
    def key(self) -> str | None:
        return self._claim.key if self._claim else None

    async def reply(
        self,
        session: AsyncSession,
        answer: BaseModel,
        *,
        status: int,
        location: str | None = None,
        secret: bool = False,
    ) -> Response:
        """The response, stored in the session's transaction. `secret` answers are sealed: they hold an API key."""
        body = answer.model_dump(mode="json")
        if self._claim is not None:
            stored = {"sealed": self._services.box.seal(json.dumps(body))} if secret else body
            await idempotency.keep(session, self._claim, status=status, answer=stored, location=location)
            self._kept = True
        return JSONResponse(body, status_code=status, headers={"Location": location} if location else None)

    async def give_back(self) -> None:
        """Without an answer of ours there was no effect, or it was rolled back."""
        if self._claim is not None:
            async with self._services.database.transaction() as session:
                await idempotency.release(session, self._claim)


@asynccontextmanager
async def _claiming(request: Request, services: Services, principal: Principal, key: str | None) -> AsyncIterator[Once]:
    claim = None
    if key is not None:
        asked = f"{request.method} {request.url.path}"
        claim = idempotency.new_claim(principal.id, key, asked, _body_hash(services, asked, await request.body()))
        async with services.database.transaction() as session:
            holder = await idempotency.claim(session, claim)
        if holder is not None:
            raise _answer_of(services, claim, holder)
    once = Once(services, claim)
    try:
        yield once
    except Exception:
        await once.give_back()
        raise


async def _once(request: Request, services: ServicesDep, principal: Anyone, key: Key = None) -> AsyncIterator[Once]:
    async with _claiming(request, services, principal, key) as once:
        yield once


async def _keyed(request: Request, services: ServicesDep, principal: Anyone, key: RequiredKey) -> AsyncIterator[Once]:
    async with _claiming(request, services, principal, key) as once:
        yield once


Idempotent = Annotated[Once, Depends(_once)]
# Where a request has no natural key: without the header it is a 422 that names it.
Keyed = Annotated[Once, Depends(_keyed)]


def install(app: FastAPI) -> None:
    async def replay(request: Request, error: Exception) -> Response:
        assert isinstance(error, Replayed)
        headers = {"Idempotency-Replayed": "true"}
        if error.location:
            headers["Location"] = error.location
        return JSONResponse(error.answer, status_code=error.status, headers=headers)

    app.add_exception_handler(Replayed, replay)


def _answer_of(services: Services, claim: Claim, holder: IdempotencyKey) -> Exception:
    if (holder.request, holder.body_hash) != (claim.request, claim.body_hash):
        return Conflict(
            "This Idempotency-Key was used with another request.",
            code="idempotency_key_reused",
            field="Idempotency-Key",
        )
    if holder.status is None:
        return Conflict("The first request with this Idempotency-Key is still running.", code="request_running")
    answer = holder.answer
    if isinstance(answer, dict) and answer.keys() == {"sealed"}:
        answer = json.loads(services.box.open(answer["sealed"]))
    return Replayed(holder, answer)


def _body_hash(services: Services, asked: str, body: bytes) -> str:
    """Of the content, not of its spelling: a client may order its fields anew when it repeats itself. Keyed, since a body may
    be as small as a one-time code, which a plain hash gives away."""
    try:
        content = json.dumps(json.loads(body), sort_keys=True) if body else ""
    except (ValueError, RecursionError):
        content = body.hex()
    return services.codes.hash(asked, "body", content)
