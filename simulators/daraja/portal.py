"""Apps and their access tokens (daraja.md 1)."""

import base64
import binascii
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from core.clock import utc_now
from core.money import Money
from simulators.books import ODDITIES
from simulators.daraja.gateway import INCAPSULA, TOKEN_DIALECTS, Refused, apigee_fault, complaint, stay_silent
from simulators.daraja.identifiers import access_token
from simulators.daraja.models import APPS, SETTINGS, SHORTCODES, TOKENS, Behaviour, OpenApp
from simulators.world import World


def behaviour(world: World) -> Behaviour:
    return Behaviour.model_validate(world.documents.get(SETTINGS, "behaviour") or {})


def open_app(world: World, wanted: OpenApp) -> dict[str, Any]:
    """Upserts the app and its short code; see OpenApp for what happens to the balance."""
    documents = world.documents
    documents.put(
        APPS,
        wanted.consumer_key,
        wanted.model_dump(include={
            "consumer_key", "consumer_secret", "shortcode", "b2c_versions", "new_token_kills_old",
            "expires_in_as_number", "strict",
        }),
    )  # fmt: skip
    known = documents.get(SHORTCODES, wanted.shortcode) or {"opened_with": None, "utility": 0, "charges": 0}
    if known["opened_with"] != wanted.utility_balance:
        known["utility"] = Money.parse(wanted.utility_balance, "KES").minor
    known |= {
        "shortcode": wanted.shortcode,
        "opened_with": wanted.utility_balance,
        "working": Money.parse(wanted.working_balance, "KES").minor,
        "initiator_name": wanted.initiator_name,
        "initiator_password": wanted.initiator_password,
        "organisation": wanted.organisation,
        "wrong_passwords": 0,
        "passkey": wanted.passkey,
        "till": wanted.till,
    }
    documents.put(SHORTCODES, wanted.shortcode, known)
    return show_app(world, wanted.consumer_key)


def show_app(world: World, consumer_key: str) -> dict[str, Any]:
    """An app without its secrets, with its balances in KES."""
    app = world.documents.get(APPS, consumer_key)
    assert app is not None
    shortcode = world.documents.get(SHORTCODES, app["shortcode"])
    assert shortcode is not None
    return {
        "consumer_key": consumer_key,
        "shortcode": app["shortcode"],
        "initiator_name": shortcode["initiator_name"],
        "b2c_versions": app["b2c_versions"],
        "utility_balance": Money(shortcode["utility"], "KES").amount,
        "working_balance": Money(shortcode["working"], "KES").amount,
        "charges_paid_balance": Money(shortcode["charges"], "KES").amount,
        "locked": shortcode["wrong_passwords"] >= behaviour(world).lock_after,
    }


async def mint(world: World, request: Request) -> Response:
    """The OAuth endpoint. What a wrong key gets is documented nowhere; here it is a 401."""
    fault = world.faults.next("daraja.token")
    options = fault.options if fault else {}
    match fault.action if fault else "":
        case "refuse":
            return complaint("400.008.01", "Invalid Authentication passed", 401)
        case "down":
            return HTMLResponse(INCAPSULA, 503)
        case "throttle":
            return apigee_fault(429, "Spike arrest violation", "policies.ratelimit.SpikeArrestViolation")
        case "slow":
            await stay_silent(request, float(options.get("seconds", 1)))
    scheme, _, pair = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return complaint("400.008.01", "Invalid Authentication passed")
    if request.query_params.get("grant_type") != "client_credentials":
        return complaint("400.008.02", "Invalid grant type passed")
    try:
        key, _, secret = base64.b64decode(pair, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return complaint("400.008.01", "Invalid Authentication passed")
    app = world.documents.get(APPS, key)
    if app is None or app["consumer_secret"] != secret:
        return complaint("400.008.01", "Invalid Authentication passed", 401)

    now, life = utc_now().timestamp(), behaviour(world).token_seconds
    kept = (world.documents.get(TOKENS, key) or {"tokens": {}})["tokens"]
    live = {} if app["new_token_kills_old"] else {token: end for token, end in kept.items() if end > now}
    token = access_token()
    expired_at_once = fault is not None and fault.action == "expire_now"
    live[token] = now if expired_at_once else now + life
    world.documents.put(TOKENS, key, {"tokens": live})
    return JSONResponse({"access_token": token, "expires_in": life if app["expires_in_as_number"] else str(life)})


def note_oddities(world: World, app: dict[str, Any], operation: str, odd: list[str]) -> None:
    """A strict app's requests are taken like any other's; what its author should look at stands in the books."""
    for what in odd if app.get("strict") else ():
        number = world.documents.next_number(ODDITIES)
        row = {"consumer_key": app["consumer_key"], "operation": operation, "what": what, "at": utc_now().isoformat()}
        world.documents.put(ODDITIES, f"{number:09}", row)


def app_of(world: World, request: Request, dialect: str) -> dict[str, Any]:
    """The app whose token the request bears. Raises Refused in the product's dialect of "invalid token"."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    now = utc_now().timestamp()
    if scheme.lower() == "bearer":
        for app in world.documents.all(APPS):
            kept = world.documents.get(TOKENS, app["consumer_key"])
            if kept and kept["tokens"].get(token, 0) > now:
                return app
    raise Refused(complaint(dialect, TOKEN_DIALECTS[dialect]))
