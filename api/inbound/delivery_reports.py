"""Where SMS gateways tell what became of a message. Unsigned: the address is the secret, and whoever has it moves the
state of an SMS and nothing else (sms_email.md 2)."""

import asyncio
import hmac
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from api.http.background import afterwards
from api.http.dependencies import Services, ServicesDep
from api.http.openapi import open_problems
from api.http.source_address import is_allowed, source_address
from core.errors import InvalidRequest, NotAllowed, NotFound
from core.msisdn import Msisdn
from notices.delivery import Report, Taken, take_report
from providers.africastalking.wire import GATEWAY, parse_delivery_report

router = APIRouter(prefix="/cb/sms", tags=["callbacks"])
log = structlog.get_logger()

_TAKEN: Final = {"status": "ok"}
_KIND: Final = "sms_report"
# A report may overtake the answer that brings its message's id; in seconds after the first look.
_LOOK_AGAIN: Final = (0.5, 2.0)
_MOST_FIELDS: Final = 40
_FIELDS: Final[dict[str, Any]] = {
    "id": "ATXid_5b1c7d40e2f94a", "status": "Failed", "phoneNumber": "+254712000111", "networkCode": "63902",
    "failureReason": "UserIsInactive",
}  # fmt: skip


@router.post(
    "/{report_secret}/africastalking",
    summary="Africa's Talking tells what became of an SMS",
    responses={
        200: {
            "description": "Taken, whether or not it changed anything",
            "content": {"application/json": {"schema": {"type": "object"}, "example": _TAKEN}},
        },
        **open_problems(400, 403, 404, 413, 503),
    },
    openapi_extra={
        "requestBody": {
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "status"],
                        "properties": {name: {"type": "string"} for name in _FIELDS},
                    },
                    "example": _FIELDS,
                }
            }
        }
    },
)
async def take_africastalking_report(report_secret: str, request: Request, services: ServicesDep) -> Response:
    """The first final state stays. A report on a message that nobody knows is taken and does nothing."""
    _admit(report_secret, request, services)
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as given:
        form = {name: value for name, value in given.items() if isinstance(value, str)}
    try:
        said = parse_delivery_report(form)
    except InvalidRequest:
        services.metrics.callback(_KIND, "garbled")
        raise
    report = Report(
        gateway=GATEWAY,
        message_id=said.message_id,
        state=said.state,
        reason=said.reason,
        curable=said.curable,
        recipient=_number(form.get("phoneNumber", "")),
    )
    response = JSONResponse(_TAKEN)
    if await _take(services, report) == "unknown":
        response.background = afterwards("delivery_report", lambda: _look_again(services, report))
    return response


async def _look_again(services: Services, report: Report) -> None:
    for seconds in _LOOK_AGAIN:
        await asyncio.sleep(seconds)
        if await _take(services, report) != "unknown":
            return
    log.info("delivery_report_unclaimed", gateway=report.gateway, state=report.state)


async def _take(services: Services, report: Report) -> Taken:
    async with services.database.transaction() as session:
        taken = await take_report(session, report, within=services.settings.sms.silent_after)
    services.metrics.callback(_KIND, "noted" if taken == "noted" else "copy" if taken == "redundant" else "not_noted")
    return taken


def _admit(report_secret: str, request: Request, services: Services) -> None:
    """Raises NotAllowed for a source that is not the gateway's, NotFound for an address that is not ours."""
    sms = services.settings.sms
    if not is_allowed(source_address(request, services.settings.callbacks), sms.report_sources):
        services.metrics.callback(_KIND, "wrong_source")
        raise NotAllowed("Delivery reports are not taken from this address.", code="wrong_source")
    # As bytes, because compare_digest fails on text outside ASCII.
    given = report_secret.encode("utf-8", errors="replace")
    if not hmac.compare_digest(given, sms.report_secret.get_secret_value().encode()):
        services.metrics.callback(_KIND, "forged")
        raise NotFound("There is nothing here.")


def _number(text: str) -> str | None:
    try:
        return Msisdn.parse(text).e164
    except InvalidRequest:
        return None
