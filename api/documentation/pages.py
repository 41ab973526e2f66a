"""The documentation, served by the API itself: the reference at `/docs`, the meaning of stages, and a page for every code of
a problem, to which its `type` leads. It needs no internet, no key, and no cookie."""

import asyncio
import gzip
import json
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from api.documentation.reasons import reason_codes, reasons
from api.documentation.reference import arranged
from api.documentation.rendering import POLICY, asset, page, render
from api.http.problem_words import WORDS
from api.http.problems import example_of
from core.errors import NotFound
from models.kinds import KINDS, SagaKind
from models.statuses import MEANINGS, status_of

router = APIRouter(include_in_schema=False)

_KEPT: Final = "documentation"  # where an application keeps what it has made, since that takes a second or two
_ASSET_AGE: Final = {"cache-control": "public, max-age=31536000, immutable"}  # its address names its digest


@dataclass(frozen=True, slots=True)
class _Made:
    """The two large bodies, and the same made small for who takes them so: a tenth of the bytes."""

    document: bytes
    small_document: bytes
    reference: bytes
    small_reference: bytes


@router.get("/")
async def home() -> RedirectResponse:
    return RedirectResponse("/docs")


@router.get("/openapi.json")
async def document(request: Request) -> Response:
    made = await _made(request.app)
    return _sent(request, made.document, made.small_document, "application/json", {})


@router.get("/docs")
async def documentation(request: Request) -> Response:
    made = await _made(request.app)
    policy = {"content-security-policy": POLICY}
    return _sent(request, made.reference, made.small_reference, "text/html; charset=utf-8", policy)


@router.get("/docs/payments")
async def payments() -> HTMLResponse:
    return page(render("payments.html", statuses=MEANINGS, kinds=[_explained(kind) for kind in KINDS]))


@router.get("/docs/assets/{name}")
async def file(name: str) -> Response:
    found = asset(name)
    if found is None:
        raise NotFound("There is nothing here.")
    return Response(found.content, media_type=found.media_type, headers=_ASSET_AGE)


@router.get("/problems")
async def problems() -> HTMLResponse:
    found = {code: reasons(code) for code in reason_codes()}
    return page(render("problems.html", problems=dict(sorted(WORDS.items())), reasons=found))


@router.get("/problems/{code}")
async def problem(code: str) -> HTMLResponse:
    words, found = WORDS.get(code), reasons(code)
    if words is None and not found:
        return page(render("unknown.html"), 404)
    example = json.dumps(example_of(code), indent=2, ensure_ascii=False) if words else None
    return page(render("problem.html", code=code, words=words, reasons=found, example=example))


async def _made(app: FastAPI) -> _Made:
    made = getattr(app.state, _KEPT, None)
    if made is None:
        made = await asyncio.to_thread(_make, app)  # requests are answered meanwhile
        setattr(app.state, _KEPT, made)
    assert isinstance(made, _Made)
    return made


def _make(app: FastAPI) -> _Made:
    described = app.openapi()
    document = json.dumps(described, ensure_ascii=False, separators=(",", ":")).encode()
    reference = render("reference.html", reference=arranged(described)).encode()
    return _Made(document, gzip.compress(document), reference, gzip.compress(reference))


def _sent(request: Request, whole: bytes, small: bytes, media_type: str, headers: dict[str, str]) -> Response:
    headers = {**headers, "vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(small, media_type=media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(whole, media_type=media_type, headers=headers)


def _explained(kind: SagaKind) -> dict[str, Any]:
    """Its stages, each with the status that it has."""
    stages = [
        (stage, means, status_of(stage, ended=means.startswith("Ended")))
        for stage, means in kind.row_class.stages.items()
    ]
    return {"name": kind.name, "word": kind.word, "about": kind.about, "stages": stages}
