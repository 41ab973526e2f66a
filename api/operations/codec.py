"""Payloads in clear for Temporal's UI and command line. It opens everything, so admins alone, or a UI that
knows the secret address: the local UI can send no key."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.responses import JSONResponse, Response
from temporalio.api.common.v1 import Payload
from temporalio.api.common.v1 import Payloads as PayloadsMessage
from temporalio.converter import PayloadCodec

from api.http.auth import authenticate
from api.http.dependencies import Services, ServicesDep
from api.http.openapi import open_problems
from api.operations.health_schemas import Payloads
from core.errors import InvalidRequest, NotAllowed, NotFound
from temporal.client import key_ring
from temporal.codec import AesGcmCodec

router = APIRouter(prefix="/codec", tags=["codec"])

_ALLOWED_HEADERS: Final = "authorization, content-type, x-namespace"
_optional_key = HTTPBearer(scheme_name="ApiKey", auto_error=False)


async def admitted(
    request: Request,
    services: ServicesDep,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_optional_key)],
) -> Services:
    """401 or 403 unless it is an admin from a page that may ask."""
    _refuse_strange_pages(request, services)
    principal = await authenticate(request, services, credentials)
    if not principal.is_admin:
        raise NotAllowed("The key lacks the scope admin.", code="scope_missing", scope="admin")
    return services


async def admitted_by_address(request: Request, services: ServicesDep, secret: str) -> Services:
    """404 unless the secret part of the address is the installation's: for a UI that can send no key. Where the caller sits
    proves nothing: every program on this machine, and every page in its browser, comes from its loopback address."""
    _refuse_strange_pages(request, services)
    ours = services.settings.codec.address_secret
    given = secret.encode(errors="replace")
    if ours is None or not secrets.compare_digest(given, ours.get_secret_value().encode()):
        raise NotFound("There is nothing here.")
    return services


def _refuse_strange_pages(request: Request, services: Services) -> None:
    origin = request.headers.get("origin")
    if origin is not None and origin not in _origins(services):
        raise NotAllowed("This page may not ask for payloads.", code="origin_refused")


Admitted = Annotated[Services, Depends(admitted)]
ByAddress = Annotated[Services, Depends(admitted_by_address)]
_RESPONSES: Final = {"responses": open_problems(400, 401, 403, 404, 413, 415, 429, 503), "response_model": Payloads}


@router.post("/encode", summary="Seal payloads", **_RESPONSES)  # type: ignore[arg-type]
async def encode_payloads(payloads: Payloads, request: Request, services: Admitted) -> Response:
    """Not in production: whoever seals there what it likes could put words into a saga's mouth."""
    return await _encode(payloads, request, services)


@router.post("/decode", summary="Open payloads", **_RESPONSES)  # type: ignore[arg-type]
async def decode_payloads(payloads: Payloads, request: Request, services: Admitted) -> Response:
    """Payloads that are not sealed by us come back as they are."""
    return await _decode(payloads, request, services)


@router.post("/by/{secret}/encode", summary="Seal payloads for a UI without a key", **_RESPONSES)  # type: ignore[arg-type]
async def encode_payloads_by_address(payloads: Payloads, request: Request, services: ByAddress) -> Response:
    return await _encode(payloads, request, services)


@router.post("/by/{secret}/decode", summary="Open payloads for a UI without a key", **_RESPONSES)  # type: ignore[arg-type]
async def decode_payloads_by_address(payloads: Payloads, request: Request, services: ByAddress) -> Response:
    return await _decode(payloads, request, services)


@router.options("/by/{secret}/{direction}", include_in_schema=False)
@router.options("/{direction}", include_in_schema=False)
async def preflight(request: Request, services: ServicesDep) -> Response:
    return Response(status_code=204, headers=_cors(request, services))


async def _encode(payloads: Payloads, request: Request, services: Services) -> Response:
    if services.settings.environment == "production":
        raise NotFound("Payloads are sealed by the workers and the API alone.")
    codec = AesGcmCodec(key_ring(services.settings))
    return await _convert(codec, codec.encode, payloads, request, services)


async def _decode(payloads: Payloads, request: Request, services: Services) -> Response:
    codec = AesGcmCodec(key_ring(services.settings))
    return await _convert(codec, codec.decode, payloads, request, services)


async def _convert(
    codec: PayloadCodec,
    convert: Callable[[list[Payload]], Awaitable[list[Payload]]],
    payloads: Payloads,
    request: Request,
    services: Services,
) -> Response:
    try:
        message = ParseDict(payloads.model_dump(), PayloadsMessage())
    except ParseError:
        raise InvalidRequest("These are no payloads in protobuf JSON.", code="not_payloads", field="payloads") from None
    try:
        converted = await convert(list(message.payloads))
    except NotAllowed as error:
        raise InvalidRequest(error.detail, code=error.code, field="payloads") from None
    except Exception:
        raise InvalidRequest("A sealed payload cannot be read.", code="not_payloads", field="payloads") from None
    answer: dict[str, Any] = MessageToDict(PayloadsMessage(payloads=converted))
    return JSONResponse({"payloads": answer.get("payloads", [])}, headers=_cors(request, services))


def _origins(services: Services) -> frozenset[str]:
    named = services.settings.codec.origins
    if named or services.settings.environment == "production":
        return frozenset(named)
    port = services.settings.temporal.ui_port
    return frozenset({f"http://localhost:{port}", f"http://127.0.0.1:{port}"})


def _cors(request: Request, services: Services) -> dict[str, str]:
    origin = request.headers.get("origin")
    if origin not in _origins(services):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }
