"""The answers that go wrong on cue, for both dialects: before anything happened, and after it did."""

import asyncio
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from simulators.daraja.gateway import CutOff
from simulators.faults import Fault
from simulators.messages import hang

# After these the order has been executed at once, although the caller learns nothing of it.
EXECUTED: Final = (
    "paid_but_answered_otherwise", "timeout_after_execution", "drop_after_debit", "server_error_after", "not_json",
)  # fmt: skip
ORDER_ACTIONS: Final = ("refuse", *EXECUTED, "timeout_before", "server_error_before", "reject_later", "slow")

PAGE: Final = "<html><head><title>Security Notice</title></head><body>The request could not be processed.</body></html>"


async def before(fault: Fault | None, request: Request) -> Response | None:
    """The answer that ends the request before the bank looked at it; None to go on (after a while, if `slow`)."""
    if fault is None:
        return None
    seconds = float(fault.options.get("seconds", 60 if fault.action == "timeout_before" else 1))
    match fault.action:
        case "timeout_before":
            await hang(request, seconds)
            return PlainTextResponse("Gateway Timeout", 504)
        case "server_error_before" | "down":
            return PlainTextResponse("Service Unavailable", 503)
        case "not_json" if not fault.options.get("executed", True):
            return HTMLResponse(PAGE)
        case "slow":
            await asyncio.sleep(seconds)
    return None


def executes_at_once(fault: Fault | None) -> bool:
    return fault is not None and fault.action in EXECUTED


async def after(fault: Fault | None, request: Request, answer: Response, otherwise: Response) -> Response:
    """What the caller gets once the order is in: the right answer, or what the fault makes of it."""
    match fault.action if fault else "":
        case "paid_but_answered_otherwise":
            return otherwise
        case "timeout_after_execution":
            await hang(request, float(fault.options.get("seconds", 60)) if fault else 60)
            return PlainTextResponse("Gateway Timeout", 504)
        case "drop_after_debit":
            return CutOff()
        case "server_error_after":
            return PlainTextResponse("Internal Server Error", 500)
        case "not_json":
            return HTMLResponse(PAGE)
    return answer
