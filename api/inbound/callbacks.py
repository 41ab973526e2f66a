"""Where M-Pesa reaches us. Stored, then answered, then read and delivered; a forged address changes nothing (P3).

The path says what comes (`out` a result, `out-late` a timeout notice, `ask` a status answer, `in` the answer to a prompt,
`level` balances), the signed token to which payment it belongs. Daraja refuses addresses with certain words, hence these
(daraja.md, fact 11).
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import JSONResponse, Response

from api.http.dependencies import Services, ServicesDep
from api.http.openapi import open_problems
from api.inbound import entrance
from providers.daraja.wire import CALLBACK_REPLY

router = APIRouter(prefix="/cb", tags=["callbacks"])

PROVIDER: Final = "daraja"
_BALANCE: Final = "balance/"

RouteHex = Annotated[str, Path(description="The route, in hex")]
MacHex = Annotated[str, Path(description="Its signature, in hex")]
_DOCUMENTED: Final[dict[str, Any]] = {
    "responses": {
        200: {
            "description": "Stored",
            "content": {"application/json": {"schema": {"type": "object"}, "example": CALLBACK_REPLY}},
        },
        **open_problems(403, 404, 413, 503),
    },
    "openapi_extra": {
        "requestBody": {
            "content": {"application/json": {"schema": {}, "example": {"Result": {"ResultCode": 0, "ResultType": 0}}}}
        }
    },
}


@router.post("/{route_hex}/{mac_hex}/out", summary="The result of a payout", **_DOCUMENTED)
async def take_payout_result(route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep) -> Response:
    return await _take("daraja.result", "result", route_hex, mac_hex, request, services)


@router.post("/{route_hex}/{mac_hex}/out-late", summary="The notice that a payout timed out in a queue", **_DOCUMENTED)
async def take_payout_timeout(
    route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep
) -> Response:
    return await _take("daraja.timeout", "timeout", route_hex, mac_hex, request, services)


@router.post("/{route_hex}/{mac_hex}/ask", summary="The answer to a status question", **_DOCUMENTED)
async def take_payout_status(route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep) -> Response:
    return await _take("daraja.status", "status", route_hex, mac_hex, request, services)


@router.post("/{route_hex}/{mac_hex}/in", summary="What a payer answered to a prompt", **_DOCUMENTED)
async def take_prompt_answer(route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep) -> Response:
    return await _take("daraja.prompt", "prompt", route_hex, mac_hex, request, services)


@router.post("/{route_hex}/{mac_hex}/level", summary="The balances of the partner's M-Pesa accounts", **_DOCUMENTED)
async def take_balances(route_hex: RouteHex, mac_hex: MacHex, request: Request, services: ServicesDep) -> Response:
    return await _take("daraja.balance", "balance", route_hex, mac_hex, request, services)


async def _take(
    endpoint: str, name: str, route_hex: str, mac_hex: str, request: Request, services: Services
) -> Response:
    """Daraja sends each callback once, whatever we answer: a right address is all that it takes to be stored."""
    route = entrance.signed_route(name, route_hex, mac_hex, request, services)
    of_balance = endpoint == "daraja.balance"
    if route.workflow_id.startswith(_BALANCE) is not of_balance:
        raise entrance.nothing_here()
    return await entrance.take(
        services,
        request,
        JSONResponse(CALLBACK_REPLY),
        endpoint=endpoint,
        provider=PROVIDER,
        metric=name,
        partner_id=route.reference if of_balance else None,
        route=route,
        copies_count=not of_balance,
    )
