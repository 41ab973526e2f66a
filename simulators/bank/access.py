"""Who calls: tokens of NCBA's two APIs, the reference bank's bearer token, and NCBA's firewall (bank_ncba.md 1, 3, 6)."""

import base64
import binascii
import secrets
from typing import Any, Final, Literal

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from core.clock import utc_now
from simulators.bank.ledger import behaviour
from simulators.bank.mishaps import PAGE
from simulators.bank.models import CUSTOMERS, TOKENS
from simulators.world import World

# What HTTP libraries call themselves: NCBA's firewall turns them away with a page.
_LIBRARIES: Final = ("python-httpx", "python-requests", "axios", "okhttp", "curl", "go-http-client", "java")

Customer = dict[str, Any]


class Refused(Exception):
    """Ends a request with this answer."""

    def __init__(self, response: Response) -> None:
        self.response = response


def past_firewall(request: Request) -> None:
    agent = request.headers.get("user-agent", "").lower()
    if not agent or agent.startswith(_LIBRARIES):
        raise Refused(HTMLResponse(PAGE, 403))


def gateway_says(status: int, message: str) -> Refused:
    """An answer of the gateway itself, in its own JSON."""
    return Refused(JSONResponse({"statusCode": status, "message": message}, status))


def login(world: World, request: Request, body: Any) -> dict[str, Any]:
    """NCBA's token: the subscription key in a header, `userID` and `password` in the body."""
    fields = body if isinstance(body, dict) else {}
    for customer in world.documents.all(CUSTOMERS):
        if customer["user_id"] and customer["user_id"] == fields.get("userID"):
            if customer["subscription_key"] != request.headers.get("ocp-apim-subscription-key"):
                break
            if customer["password"] == fields.get("password"):
                token = _new_token(world, customer["name"], "open banking")
                if behaviour(world).token_shape == "tokenID":
                    return {"tokenID": token}
                return {"accessToken": token, "tokenType": "Bearer"}
    raise gateway_says(401, "Access denied: invalid credentials or subscription.")


def open_banking_customer(world: World, request: Request) -> Customer:
    past_firewall(request)
    customer = _bearer(world, request, "open banking")
    if customer["subscription_key"] != request.headers.get("ocp-apim-subscription-key"):
        raise gateway_says(401, "Access denied due to invalid subscription key.")
    return customer


def till_login(world: World, request: Request) -> dict[str, Any]:
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(pair, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = password = ""
    for customer in world.documents.all(CUSTOMERS):
        right = customer["till_username"] == user and customer["till_password"] == password
        if scheme.lower() == "basic" and user and right:
            return {"access_token": _new_token(world, customer["name"], "till"), "expires_in": 18000}
    raise Refused(JSONResponse({"error": "invalid_client"}, 401))


def till_customer(world: World, request: Request) -> Customer:
    past_firewall(request)
    return _bearer(world, request, "till")


def reference_customer(world: World, request: Request) -> Customer:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    for customer in world.documents.all(CUSTOMERS):
        if scheme.lower() == "bearer" and token and customer["token"] == token:
            return customer
    raise Refused(JSONResponse({"code": "UNAUTHORIZED"}, 401))


def _new_token(world: World, customer: str, api: Literal["open banking", "till"]) -> str:
    token = secrets.token_hex(20)
    until = utc_now().timestamp() + (behaviour(world).token_seconds if api == "open banking" else 18_000)
    world.documents.put(TOKENS, token, {"token": token, "customer": customer, "api": api, "until": until})
    return token


def _bearer(world: World, request: Request, api: str) -> Customer:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    kept = world.documents.get(TOKENS, token) if token else None
    if scheme.lower() == "bearer" and kept and kept["api"] == api and kept["until"] > utc_now().timestamp():
        customer = world.documents.get(CUSTOMERS, kept["customer"])
        if customer:
            return customer
    raise gateway_says(401, "Unauthorized. Access token is missing or invalid.")
