"""Where the tin reaches us. Stored, then answered, then read and delivered.

`/cb/tin/<signed route>/out` what became of a payout, `…/in` of a prompt; `/cb/tin/<secret>/` a payment that somebody made to
the connection's account. Unsigned all of them: the address is the proof.
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.http.dependencies import Services, ServicesDep
from api.http.openapi import open_problems
from api.inbound import entrance
from api.inbound.callbacks import MacHex, RouteHex

router = APIRouter(prefix="/cb/tin", tags=["callbacks"])

_TAKEN: Final = {"taken": True}
_TOLD: Final = {
    "id": "tp00000007", "reference": "pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1", "state": "paid", "receipt": "TIN0000012",
    "amount": "500.00", "currency": "KES", "phone": "+254712345678", "at": "2026-11-21T06:14:05+00:00", "reason": "",
}  # fmt: skip
_DOCUMENTED: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "description": "Stored",
            "content": {"application/json": {"schema": {"type": "object"}, "example": _TAKEN}},
        },
        **open_problems(403, 404, 413, 503),
    },
    "openapi_extra": {"requestBody": {"content": {"application/json": {"schema": {}, "example": _TOLD}}}},
}


@router.post("/{route_hex}/{mac_hex}/out", summary="What became of a payout by the tin", **_DOCUMENTED)
async def take_tin_payout(route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep) -> Response:
    return await _take("payout", route_hex, mac_hex, request, services)


@router.post("/{route_hex}/{mac_hex}/in", summary="What became of a prompt by the tin", **_DOCUMENTED)
async def take_tin_prompt(route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep) -> Response:
    return await _take("prompt", route_hex, mac_hex, request, services)


@router.post("/{secret}/", summary="Somebody paid into the partner's tin", **_DOCUMENTED)
async def take_tin_payment(secret: str, request: Request, services: ServicesDep) -> Response:
    entrance.refuse_strangers(services, request, services.settings.callbacks.allowed_sources, "tin_payment")
    connection = await entrance.connection_of(services, "tin", secret)
    return await entrance.take(
        services, request, JSONResponse(_TAKEN), endpoint="tin.payment", provider="tin", metric="tin_payment",
        connection=connection,
    )  # fmt: skip


async def _take(what: str, route_hex: str, mac_hex: str, request: Request, services: Services) -> Response:
    route = entrance.signed_route(f"tin_{what}", route_hex, mac_hex, request, services)
    return await entrance.take(
        services, request, JSONResponse(_TAKEN), endpoint=f"tin.{what}", provider="tin", metric=f"tin_{what}",
        route=route,
    )  # fmt: skip
