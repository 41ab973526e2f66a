"""Damza as its traces show it (sms_email.md 1): the panel and AirTouch, on one address, told apart by the path.

Fault `damza.send`: `refuse` (options.code), `timeout_after_send` (the message goes out, the answer does not come),
`html_200` (a proxy's page with status 200; the message goes out unless options.taken is false), `slow`
(options.seconds), `down` (503, nothing goes out). Facts to match: `dialect`, `to` (digits), `reference`.
"""

import asyncio
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from providers.damza.wire import (
    AIRTOUCH_ACCEPTED,
    AIRTOUCH_BALANCE_PATH,
    AIRTOUCH_PATH,
    AIRTOUCH_REFUSED,
    GATEWAY,
    PANEL_PATH,
    PANEL_REFUSED,
    airtouch_password,
)
from simulators.books import MESSAGES
from simulators.faults import Fault
from simulators.messages import API_KEY, hang, keep_message
from simulators.world import World

SEND = "damza.send"
_FIRST_BALANCE = 1_000_000
_MAX_RECEIVERS = 100


def routes(world: World) -> APIRouter:
    world.faults.declare(SEND, "refuse", "timeout_after_send", "html_200", "slow", "down")
    router = APIRouter()

    @router.get(PANEL_PATH)
    async def panel(request: Request) -> Response:
        query = request.query_params
        if query.get("api_key") != API_KEY:
            return _panel_refusal("102")
        if query.get("action") == "check-balance":
            return JSONResponse({"balance": _balance(world), "user": "Kivuko", "country": "Kenya"})
        if query.get("action") != "send-sms":
            return _panel_refusal("101")
        receivers = query.get("to", "").split(",")
        if not query.get("sms") or len(receivers) > _MAX_RECEIVERS:
            return _panel_refusal("100")
        if not query.get("from"):
            return _panel_refusal("106")
        if not all(_is_number(receiver) for receiver in receivers):
            return _panel_refusal("103")
        fault = world.faults.next(SEND, dialect="panel", to=receivers[0])
        if fault and fault.action == "refuse":
            return _panel_refusal(str(fault.options.get("code", "106")))
        if _goes_out(fault):
            for receiver in receivers:
                keep_message(
                    world, channel="sms", gateway=GATEWAY, to=receiver, text=query["sms"], message_id=str(uuid4())
                )
        return await _spoil(fault, request) or JSONResponse(
            {"code": "ok", "message": "Successfully Sent", "balance": _balance(world), "user": "Kivuko"}
        )

    @router.get(AIRTOUCH_PATH)
    async def airtouch(request: Request) -> Response:
        query = request.query_params
        if refusal := _airtouch_login(query.get("username"), query.get("password")):
            return refusal
        if not query.get("issn"):
            return _airtouch_refusal("1001")
        to, reference = query.get("msisdn", ""), query.get("sms_id") or None
        fault = world.faults.next(SEND, dialect="airtouch", to=to, reference=reference or "")
        if fault and fault.action == "refuse":
            return _airtouch_refusal(str(fault.options.get("code", "1001")))
        message_id = str(uuid4())
        if _goes_out(fault):
            keep_message(
                world,
                channel="sms",
                gateway=GATEWAY,
                to=to,
                text=query.get("text", ""),
                message_id=message_id,
                reference=reference,
            )
        return await _spoil(fault, request) or JSONResponse(
            {"status_code": AIRTOUCH_ACCEPTED, "status_desc": "SUCCESS", "message_id": message_id}
        )

    @router.get(AIRTOUCH_BALANCE_PATH)
    async def airtouch_balance(request: Request) -> Response:
        query = request.query_params
        refusal = _airtouch_login(query.get("username"), query.get("password"))
        return refusal or JSONResponse({"status_code": AIRTOUCH_ACCEPTED, "balance": str(_balance(world))})

    return router


def _goes_out(fault: Fault | None) -> bool:
    if fault is None or fault.action != "html_200":
        return fault is None or fault.action != "down"
    return bool(fault.options.get("taken", True))


async def _spoil(fault: Fault | None, request: Request) -> Response | None:
    """The answer that a fault gives in place of the right one."""
    if fault is None:
        return None
    if fault.action == "down":
        return PlainTextResponse("Service Unavailable", status_code=503)
    if fault.action == "html_200":
        # Like many a proxy, it quotes the address that was asked for.
        return HTMLResponse(f"<html><body><h1>Please wait</h1><p>{request.url}</p></body></html>")
    if fault.action == "timeout_after_send":
        await hang(request, float(fault.options.get("seconds", 60)))
    else:
        await asyncio.sleep(float(fault.options.get("seconds", 2)))
    return None


def _is_number(digits: str) -> bool:
    try:
        return bool(Msisdn.parse(digits))
    except InvalidRequest:
        return False


def _airtouch_login(username: str | None, password: str | None) -> Response | None:
    if not username:
        return _airtouch_refusal("1011")
    return None if password == airtouch_password(API_KEY) else _airtouch_refusal("1006")


def _panel_refusal(code: str) -> Response:
    known = PANEL_REFUSED.get(code)
    return JSONResponse({"code": code, "message": known.words.capitalize() if known else "Unlisted"})


def _airtouch_refusal(code: str) -> Response:
    known = AIRTOUCH_REFUSED.get(code)
    body: dict[str, Any] = {"status_code": code, "status_desc": known.words.upper() if known else "UNLISTED"}
    return JSONResponse(body)


def _balance(world: World) -> int:
    sent = [entry for entry in world.documents.all(MESSAGES) if entry["gateway"] == GATEWAY]
    return _FIRST_BALANCE - len(sent)
