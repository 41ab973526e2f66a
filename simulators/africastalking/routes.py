"""Africa's Talking SMS (sms_email.md 2): send, account, and delivery reports to an address set beforehand.

Fault `africastalking.send`: `refuse` (options.status_code, per recipient), `timeout_after_send`, `slow`
(options.seconds), `down` (503, nothing goes out), `unauthorized` (401 in plain text), `no_recipients` (201 with an
empty list). Fault `africastalking.report`, drawn once per message taken: `lose`, `duplicate` (two final ones), `late`
(options.seconds, 1, before the first), `out_of_order` (final before progress), `contradict` (delivered, then failed),
`failed` (options.reason; options.status is Failed or Rejected). Fact to match: `to` (E.164).
"""

import asyncio
from typing import Any, Final
from uuid import uuid4

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from core.sms_segments import segments
from providers.africastalking.wire import GATEWAY, REFUSED, SEND_PATH, USER_PATH
from simulators.messages import API_KEY, hang, keep_message
from simulators.world import World

SEND = "africastalking.send"
REPORT = "africastalking.report"
_SETTINGS = "africastalking.settings"
_COST_CENTS_PER_SEGMENT: Final = 80
_STEP_SECONDS: Final = 0.05  # between the answer and the first report, and between reports


class DeliveryUrl(BaseModel):
    """Where delivery reports go; what the real dashboard has a form for. None: nowhere."""

    url: str | None


def routes(world: World) -> APIRouter:
    world.faults.declare(SEND, "refuse", "timeout_after_send", "slow", "down", "unauthorized", "no_recipients")
    world.faults.declare(REPORT, "lose", "duplicate", "late", "out_of_order", "contradict", "failed")
    router = APIRouter()

    @router.post(SEND_PATH)
    async def send(request: Request) -> Response:
        if request.headers.get("apikey") != API_KEY:
            return _unauthorized()
        form = {key: value for key, value in (await request.form()).items() if isinstance(value, str)}
        for name in ("username", "to", "message"):
            if not form.get(name):
                return PlainTextResponse(f"Request is missing required form field '{name}'", status_code=400)
        numbers = form["to"].split(",")
        fault = world.faults.next(SEND, to=numbers[0])
        action = fault.action if fault else ""
        options = fault.options if fault else {}
        if action == "unauthorized":
            return _unauthorized()
        if action == "down":
            return PlainTextResponse("Service Unavailable", status_code=503)
        if action == "no_recipients":
            return _reply("InvalidSenderId", [])
        refuse_with = int(options.get("status_code", 406)) if action == "refuse" else None
        recipients = [_take(world, number, form["message"], refuse_with) for number in numbers]
        if action == "timeout_after_send":
            await hang(request, float(options.get("seconds", 60)))
        elif action == "slow":
            await asyncio.sleep(float(options.get("seconds", 2)))
        taken = [recipient for recipient in recipients if recipient["messageId"] != "None"]
        cents = len(taken) * segments(form["message"]) * _COST_CENTS_PER_SEGMENT
        return _reply(f"Sent to {len(taken)}/{len(recipients)} Total Cost: {_cost(cents)}", recipients)

    @router.get(USER_PATH)
    async def user(request: Request) -> Response:
        if request.headers.get("apikey") != API_KEY:
            return _unauthorized()
        return JSONResponse({"UserData": {"balance": "KES 1785.5000"}})

    @router.post("/simulator/delivery-url", status_code=204)
    async def set_delivery_url(wanted: DeliveryUrl) -> None:
        world.documents.put(_SETTINGS, "delivery", {"url": wanted.url})

    return router


def _take(world: World, number: str, text: str, refuse_with: int | None) -> dict[str, Any]:
    """One entry of the answer's list; a taken message is written down and its reports are started."""
    code = refuse_with or (101 if _is_number(number) else 403)
    if code not in (100, 101, 102):
        known = REFUSED.get(str(code))
        words = known.words if known else "Unlisted"
        return {"statusCode": code, "number": number, "status": words, "cost": "0", "messageId": "None"}
    message_id = f"ATXid_{uuid4().hex}"
    keep_message(world, channel="sms", gateway=GATEWAY, to=number, text=text, message_id=message_id)
    settings = world.documents.get(_SETTINGS, "delivery")
    if settings and settings["url"]:
        world.later(_report(world, settings["url"], message_id, number))
    cost = _cost(segments(text) * _COST_CENTS_PER_SEGMENT)
    return {"statusCode": code, "number": number, "status": "Success", "cost": cost, "messageId": message_id}


async def _report(world: World, url: str, message_id: str, number: str) -> None:
    """The delivery reports of one message: progress, then a final one."""
    fault = world.faults.next(REPORT, to=number)
    action = fault.action if fault else ""
    options = fault.options if fault else {}
    progress, delivered = {"status": "Sent"}, {"status": "Success"}
    failed = {
        "status": str(options.get("status", "Failed")),
        "failureReason": str(options.get("reason", "DeliveryFailure")),
    }
    plan = {
        "lose": [],
        "duplicate": [progress, delivered, delivered],
        "out_of_order": [delivered, progress],
        "contradict": [progress, delivered, failed],
        "failed": [progress, failed],
    }.get(action, [progress, delivered])
    if action == "late":
        await asyncio.sleep(float(options.get("seconds", 1)))
    for report in plan:
        await asyncio.sleep(_STEP_SECONDS)
        form = {"id": message_id, "phoneNumber": number, "networkCode": "63902", "retryCount": "0", **report}
        try:
            await world.http.post(url, data=form)
        except httpx.HTTPError:
            continue  # whether the real gateway tries again is not documented


def _reply(message: str, recipients: list[dict[str, Any]]) -> Response:
    return JSONResponse({"SMSMessageData": {"Message": message, "Recipients": recipients}}, status_code=201)


def _unauthorized() -> Response:
    return PlainTextResponse("The supplied authentication is invalid", status_code=401)


def _cost(cents: int) -> str:
    return f"KES {cents // 100}.{cents % 100:02d}00" if cents else "0"


def _is_number(number: str) -> bool:
    try:
        return number.startswith("+") and bool(Msisdn.parse(number))
    except InvalidRequest:
        return False
