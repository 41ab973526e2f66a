"""Where a partner's Fineract tells of approved loans and recorded payments. Unsigned, so a hint and no more (A3, A11): the
loan or the payment is read anew. Stored before it is answered, since nothing else tells of a payment and hooks come once;
limited, since what is approved is found by the poll as well."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.http.dependencies import ServicesDep
from api.http.openapi import open_problems
from api.inbound import entrance

router = APIRouter(prefix="/cb/hooks", tags=["callbacks"])

_TAKEN: Final = {"status": "ok"}
_OK: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Taken, whatever it says",
        "content": {"application/json": {"schema": {"type": "object"}, "example": _TAKEN}},
    }
}
_EVENT: Final = {"entityName": "LOAN", "actionName": "APPROVE", "response": {"loanId": 91}}


@router.get("/{secret}/", summary="Fineract's probe when the hook is made", responses=_OK | open_problems(404, 503))
async def probe_hook(secret: str, services: ServicesDep) -> Response:
    await entrance.connection_of(services, "fineract", secret)
    return JSONResponse(_TAKEN)


@router.post(
    "/{secret}/",
    summary="Something happened in the partner's Fineract",
    responses=_OK | open_problems(404, 413, 429, 503),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}, "example": _EVENT}}}},
)
async def take_hook(secret: str, request: Request, services: ServicesDep) -> Response:
    """429 for more hints than one core-banking system has: the poll finds the loans that they told of."""
    connection = await entrance.connection_of(services, "fineract", secret)
    services.hints.take(connection.partner_id)
    return await entrance.take(
        services,
        request,
        JSONResponse(_TAKEN),
        endpoint="fineract.hook",
        provider="fineract",
        metric="hook",
        connection=connection,
        copies_count=False,
    )
