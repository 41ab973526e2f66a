"""Where a partner's Fineract tells of approved loans and recorded payments. Unsigned, so a hint and no more (A3, A11): the
loan or the payment is read anew. Stored before it is answered, since nothing else tells of a payment and hooks come once;
limited, since what is approved is found by the poll as well."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.http.dependencies import Services, ServicesDep
from api.http.openapi import open_problems
from api.inbound import entrance
from core.crypto import sha256_hex
from models.tables.platform.partner import Partner
from store.platform import partner_admin

router = APIRouter(prefix="/cb/hooks", tags=["callbacks"])

_TAKEN: Final = {"status": "ok"}
_OK: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Taken, whatever it says",
        "content": {"application/json": {"schema": {"type": "object"}, "example": _TAKEN}},
    }
}
_EVENT: Final = {"entityName": "LOAN", "actionName": "APPROVE", "response": {"loanId": 91}}


@router.get(
    "/{hook_secret}/", summary="Fineract's probe when the hook is made", responses=_OK | open_problems(404, 503)
)
async def probe_hook(hook_secret: str, services: ServicesDep) -> Response:
    await _partner(services, hook_secret)
    return JSONResponse(_TAKEN)


@router.post(
    "/{hook_secret}/",
    summary="Something happened in the partner's Fineract",
    responses=_OK | open_problems(404, 413, 429, 503),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {}, "example": _EVENT}}}},
)
async def take_hook(hook_secret: str, request: Request, services: ServicesDep) -> Response:
    """429 for more hints than one core-banking system has: the poll finds the loans that they told of."""
    partner = await _partner(services, hook_secret)
    services.hints.take(partner.id)
    return await entrance.take(
        services,
        request,
        JSONResponse(_TAKEN),
        endpoint="fineract.hook",
        provider="fineract",
        metric="hook",
        partner_id=partner.id,
        copies_count=False,
    )


async def _partner(services: Services, hook_secret: str) -> Partner:
    digest = sha256_hex(hook_secret.encode("utf-8", errors="replace"))
    async with services.database.transaction() as session:
        partner = await partner_admin.by_hook_digest(session, digest)
    if partner is None:
        raise entrance.nothing_here()
    return partner
