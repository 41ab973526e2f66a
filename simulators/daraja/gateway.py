"""The gateway's side: error shapes, field checks and the answers that go wrong on cue (daraja.md 1, 3.9, 4)."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from simulators.daraja.identifiers import request_id
from simulators.faults import Fault

INCAPSULA: Final = (
    "<html><head><title>Error</title></head><body>Request unsuccessful. "
    "Incapsula incident ID: 1029000240158834-224107388</body></html>"
)
UPSTREAM: Final = "upstream connect error or disconnect/reset before headers. reset reason: connection termination"

# The words that no callback URL may hold, in any case (daraja.md, fact 11).
_FORBIDDEN: Final = ("mpesa", "m-pesa", "safaricom", "exe", "exec", "cmd", "sql", "query")

TOKEN_DIALECTS: Final = {
    "404.001.03": "Invalid Access Token",
    "401.002.01": "Error Occurred - Invalid Access Token",
    "400.003.01": "Invalid Access Token",
}

# Actions of a request that never reaches M-Pesa.
REFUSING: Final = (
    "spike_arrest", "spike_arrest_json", "quota", "invalid_token", "not_entitled", "no_product", "invalid_request",
    "system_error", "drop_before", "empty_404",
)  # fmt: skip
# Actions of a request that M-Pesa executes although the caller learns nothing.
AFTER_EXECUTION: Final = (
    "timeout_after_execution", "reset_after_execution", "upstream_text_after_execution", "html_after_execution",
    "empty_after_execution", "error_500_after_execution", "soap_fault_after_execution", "odd_ack_after_execution",
)  # fmt: skip


class Refused(Exception):
    """Ends a request with this answer."""

    def __init__(self, response: Response) -> None:
        self.response = response


class CutOff(Response):
    """Starts an answer and closes the connection in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"512")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"Conver', "more_body": True})


def complaint(code: str, message: str, status: int | None = None) -> Response:
    """Shape 1. The status is the code's first part unless given."""
    return JSONResponse(
        {"requestId": request_id(), "errorCode": code, "errorMessage": message}, status or int(code.split(".")[0])
    )


def apigee_fault(status: int, text: str, code: str) -> Response:
    """Shape 2."""
    return JSONResponse({"fault": {"faultstring": text, "detail": {"errorcode": code}}}, status)


def invalid(field: str) -> Refused:
    return Refused(complaint("400.002.02", f"Bad Request - Invalid {field}"))


def refusal(fault: Fault, token_dialect: str) -> Response | None:
    """The answer of one of the REFUSING actions; None for any other."""
    options = fault.options
    match fault.action:
        case "spike_arrest":
            text = "Spike arrest violation. Allowed rate : 20ps"
            return apigee_fault(429, text, "policies.ratelimit.SpikeArrestViolation")
        case "spike_arrest_json":
            return complaint("500.003.02", "Error Occurred: Spike Arrest Violation")
        case "quota":
            return complaint("500.003.03", "Error Occurred: Quota Violation")
        case "invalid_token":
            dialect = str(options.get("dialect", token_dialect))
            return complaint(dialect, TOKEN_DIALECTS[dialect])
        case "not_entitled":
            return complaint("403.002.1001", "You are not authorized to initiate this transaction")
        case "no_product":
            text = "Invalid API call as no apiproduct match found"
            return apigee_fault(401, text, "keymanagement.service.InvalidAPICallAsNoApiProductMatchFound")
        case "invalid_request":
            code = str(options.get("code", "400.002.02"))
            return complaint(code, str(options.get("message", "Bad Request - Invalid Remarks")), options.get("status"))
        case "system_error":
            return complaint("500.002.1001", "System internal error.")
        case "empty_404":
            return Response(status_code=404)
        case "drop_before":
            return PlainTextResponse("no healthy upstream", 503)
    return None


async def instead_of_ack(fault: Fault | None, request: Request, ack: Mapping[str, str]) -> Response:
    """What the caller gets once the request is in: the acknowledgement, or one of the AFTER_EXECUTION answers."""
    options = fault.options if fault else {}
    match fault.action if fault else "":
        case "timeout_after_execution":
            await stay_silent(request, float(options.get("seconds", 60)))
            return PlainTextResponse(UPSTREAM, 504)
        case "reset_after_execution":
            return CutOff()
        case "upstream_text_after_execution":
            return PlainTextResponse(UPSTREAM, int(options.get("status", 502)))
        case "html_after_execution":
            return HTMLResponse(INCAPSULA, int(options.get("status", 503)))
        case "empty_after_execution":
            return Response(status_code=int(options.get("status", 200)), media_type="application/json")
        case "error_500_after_execution":
            return complaint("500.003.1001", "Internal Server Error")
        case "soap_fault_after_execution":
            fault_body = {"faultcode": "env:Server", "faultstring": "Service unavailable"}
            return JSONResponse({"Envelope": {"Body": {"Fault": fault_body}}}, 500)
        case "odd_ack_after_execution":
            return JSONResponse(_odd_ack(str(options.get("shape", "error_code")), ack))
    return JSONResponse(dict(ack))


def _odd_ack(shape: str, ack: Mapping[str, str]) -> dict[str, str]:
    """A 200 that is no valid acknowledgement (daraja.md 3.3 and 4)."""
    match shape:
        case "empty_ids":
            return {key: "" if key.endswith("ID") else value for key, value in ack.items()}
        case "response_code":
            return {**ack, "ResponseCode": "1"}
        case _:
            return {"requestId": request_id(), "errorCode": "500.001.1001", "errorMessage": ""}


async def stay_silent(request: Request, seconds: float) -> None:
    """Says nothing for so long, or until the caller hangs up."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end and not await request.is_disconnected():  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def json_object(request: Request, first_field: str) -> dict[str, Any]:
    """The body. Another content type makes the real gateway complain about the first field (daraja.md 1)."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise invalid(first_field)
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(complaint("400.002.05", "Invalid Request Payload"))
    return body


Check = Callable[[Any], bool]


def matches(pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII | re.DOTALL)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def digits(pattern: str) -> Check:
    """Digits as a number or as text: Daraja's own samples and its own client mix them."""
    check = matches(pattern)
    return lambda value: not isinstance(value, bool) and check(as_text(value))


def shillings(value: Any) -> bool:
    """Whole KES above zero, as a number (1500.0 too) or as text."""
    return not isinstance(value, bool) and re.fullmatch(r"0*[1-9][0-9]{0,8}", str(as_text(value))) is not None


def as_text(value: Any) -> Any:
    """A whole number as the text of its digits; anything else as it is."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def callback_url(value: Any) -> bool:
    if not isinstance(value, str) or value != value.strip():
        return False
    parts = urlsplit(value)
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and not any(w in value.lower() for w in _FORBIDDEN)
    )


def check_fields(body: dict[str, Any], required: Mapping[str, Check], optional: Mapping[str, Check]) -> list[str]:
    """Refuses, naming the field, what is missing or malformed. Numbers become texts in `body`.

    Returns what the real gateway takes although no page says so: fields that are in no table, texts longer than the
    page's limit.
    """
    for name, check in required.items():
        if not check(body.get(name)):
            raise invalid(name)
    odd = []
    for name, value in body.items():
        if name in optional and not optional[name](as_text(value)):
            if not isinstance(as_text(value), str):
                raise invalid(name)
            odd.append(f"{name} is longer than the page allows")
        elif name not in required and name not in optional:
            odd.append(f"{name} is in no table")
    for name in {*required, *optional} & body.keys():
        body[name] = as_text(body[name])
    return odd
