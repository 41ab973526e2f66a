"""The simulated Daraja: OAuth, B2C v3 and v1, transaction status and account balance (daraja.md 1 to 8 and 15).

Faults, with their options in parentheses; facts for matching are msisdn, amount ("1250"), reference and shortcode:

daraja.token           refuse · slow (seconds) · down · throttle · expire_now
daraja.b2c.send        not executed: spike_arrest · spike_arrest_json · quota · invalid_token (dialect) · not_entitled ·
                       no_product · invalid_request (code, message, status) · system_error · drop_before · empty_404
                       executed, the caller learns nothing: timeout_after_execution (seconds) · reset_after_execution ·
                       upstream_text_after_execution (status) · html_after_execution (status) ·
                       empty_after_execution (status) · error_500_after_execution · soap_fault_after_execution ·
                       odd_ack_after_execution (shape: error_code, empty_ids, response_code)
                       refuse (code): accepted, then failed by its Result · slow (seconds) ·
                       duplicate_as_result: a repeated reference is accepted and answered by a Result 15
daraja.b2c.result      lose · duplicate (times) · early · late (seconds) · contradict_after, contradict_before (code,
                       seconds) · forged, forged_url (amount, receipt, known_ids, seconds) · wrong_amount (by) ·
                       timeout_notice_only (shape: echo or result; executed) · timeout_notice_then_result (shape,
                       seconds) · as_strings · pending_first (seconds)
daraja.status.send,
daraja.balance.send    the "not executed" ones of b2c.send and empty_after_execution …, which here only hide the ack
daraja.status.answer   lose · not_found (code) · pending, status (status) · duplicate_keys · failed_query (code) ·
                       late (seconds) · wrong_amount (by) · as_strings
daraja.balance.answer  lose · late (seconds) · failed_query (code) · as_strings

Those of money that comes in are listed in `collecting.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from core.clock import utc_now
from simulators.daraja import envelopes, gateway
from simulators.daraja.announcements import Announcements
from simulators.daraja.bank import Bank
from simulators.daraja.collecting import CollectingDesk, Handler, declare_collecting
from simulators.daraja.control import control_routes
from simulators.daraja.courier import RESULT_ACTIONS, Courier
from simulators.daraja.gateway import Check, Refused, callback_url, complaint, digits, matches, shillings
from simulators.daraja.identifiers import conversation_id, originator_id
from simulators.daraja.inquiries import (
    BALANCE_ACTIONS,
    STATUS_ACTIONS,
    acknowledgement_id,
    answer_balance,
    answer_status,
)
from simulators.daraja.portal import app_of, mint, note_oddities
from simulators.daraja.prompts import Prompts
from simulators.daraja.reversals import Reversals
from simulators.daraja.till import Till
from simulators.faults import Fault
from simulators.world import World

_TEXT: Final = matches(r".{1,100}")
_INITIATOR: Final[dict[str, Check]] = {"SecurityCredential": matches(r"[A-Za-z0-9+/]{8,}={0,2}")}
_CALLBACKS: Final[dict[str, Check]] = {"QueueTimeOutURL": callback_url, "ResultURL": callback_url}
_B2C: Final[dict[str, Check]] = {
    "InitiatorName": _TEXT,
    **_INITIATOR,
    "CommandID": matches("BusinessPayment|SalaryPayment|PromotionPayment"),
    "Amount": shillings,
    "PartyA": digits(r"\d{5,7}"),
    "PartyB": digits(r"254[17]\d{8}"),
    "Remarks": matches(r".{2,100}"),
    **_CALLBACKS,
}
_B2C_OPTIONAL: Final[dict[str, Check]] = {
    "Occassion": matches(r".{0,100}"), "Occasion": matches(r".{0,100}"), "IDType": _TEXT, "IDNumber": _TEXT,
}  # fmt: skip
_OCCASIONS: Final[dict[str, Check]] = {"Occasion": matches(r".{0,100}"), "Occassion": matches(r".{0,100}")}
_QUERY: Final[dict[str, Check]] = {
    "Initiator": _TEXT,
    **_INITIATOR,
    "PartyA": digits(r"\d{5,7}"),
    "IdentifierType": digits("[124]"),
    "Remarks": matches(r".{2,100}"),
    **_CALLBACKS,
}
# Which "invalid token" each product speaks; for B2C none is documented (daraja.md 1).
_B2C_DIALECT, _STATUS_DIALECT, _BALANCE_DIALECT = "404.001.03", "400.003.01", "401.002.01"


def routes(world: World) -> APIRouter:
    """Everything under /daraja. Orders that were queued when the simulator stopped are taken up at its start."""
    bank = Bank(world)
    courier = Courier(world, bank)
    till = Till(world)
    announcements = Announcements(world, bank, courier, till)
    prompts = Prompts(world, courier, till, announcements)
    _declare(world)
    declare_collecting(world)

    def resume() -> None:
        courier.resume()
        prompts.resume()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        resume()
        yield

    router = APIRouter(lifespan=lifespan)
    router.include_router(control_routes(world, bank, announcements))

    def add(path: str, handler: Handler, methods: list[str]) -> None:
        async def endpoint(request: Request) -> Response:
            resume()
            try:
                return await handler(request)
            except Refused as refused:
                return refused.response

        router.add_api_route(path, endpoint, methods=methods, response_model=None, name=path)

    def post(path: str, handler: Handler) -> None:
        add(path, handler, ["POST"])

    @router.get("/oauth/v1/generate", response_model=None)
    async def generate(request: Request) -> Response:
        return await mint(world, request)

    def b2c(version: str) -> Handler:
        async def handler(request: Request) -> Response:
            return await _payment_request(world, courier, request, version)

        return handler

    async def status(request: Request) -> Response:
        return await _status_query(world, courier, request)

    async def balance(request: Request) -> Response:
        return await _balance_query(world, courier, request)

    post("/mpesa/b2c/v3/paymentrequest", b2c("v3"))
    post("/mpesa/b2c/v1/paymentrequest", b2c("v1"))
    post("/mpesa/transactionstatus/v1/query", status)
    post("/mpesa/accountbalance/v1/query", balance)
    CollectingDesk(world, prompts, announcements, Reversals(world, bank, courier, till)).open(add)

    @router.api_route("/mpesa/{rest:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    async def elsewhere(request: Request, rest: str) -> Response:
        if request.method != "POST":
            return complaint("405.001", "Method Not Allowed")
        return complaint("404.001.01", "Resource not found")

    return router


async def _payment_request(world: World, courier: Courier, request: Request, version: str) -> Response:
    bank = courier.bank
    app = app_of(world, request, _B2C_DIALECT)
    body = await gateway.json_object(request, "OriginatorConversationID" if version == "v3" else "InitiatorName")
    facts = {
        "msisdn": str(body.get("PartyB", "")),
        "amount": str(body.get("Amount", "")),
        "reference": str(body.get("OriginatorConversationID", "")),
        "shortcode": str(body.get("PartyA", "")),
    }
    fault = world.faults.next("daraja.b2c.send", **facts)
    if fault and (refused := gateway.refusal(fault, _B2C_DIALECT)):
        return refused
    if version not in app["b2c_versions"]:
        return complaint("403.002.1001", "You are not authorized to initiate this transaction")
    required = {"OriginatorConversationID": matches(r"[A-Za-z0-9_-]{1,36}"), **_B2C} if version == "v3" else _B2C
    # v1 has no field for a caller's reference; clients that send one anyway are not refused for it.
    note_oddities(world, app, "b2c", gateway.check_fields(body, required, _B2C_OPTIONAL))
    if fault and fault.action == "slow":
        # Before the look for a duplicate: from there on nothing waits, so that two of a kind cannot both pass.
        await gateway.stay_silent(request, float(fault.options.get("seconds", 1)))
    known = bank.order(facts["reference"]) if version == "v3" else None
    if known and not (fault and fault.action == "duplicate_as_result"):
        return complaint("500.002.1001", "Duplicate OriginatorConversationID.")
    if known:
        world.later(courier.post(body["ResultURL"], envelopes.payout_failed(known, "15")))
        return await gateway.instead_of_ack(None, request, _ack(known["originator_id"]))

    result_fault = world.faults.next("daraja.b2c.result", **facts)
    order = bank.take(version, body, fault, result_fault)
    if result_fault and result_fault.action == "early":
        courier.settle(order)
        await courier.deliver(order)
    else:
        if fault and fault.action in gateway.AFTER_EXECUTION:
            courier.settle(order)
        courier.start(order)
    return await gateway.instead_of_ack(fault, request, _ack(order["originator_id"], order["conversation_id"]))


async def _status_query(world: World, courier: Courier, request: Request) -> Response:
    app, body, fault = await _query(world, request, "daraja.status.send", _STATUS_DIALECT)
    asked: dict[str, Check] = {
        "TransactionID": matches(r"[A-Z0-9]{0,20}"), "OriginalConversationID": matches(r"[A-Za-z0-9_-]{0,50}"),
    }  # fmt: skip
    required = {**_QUERY, "CommandID": matches("TransactionStatusQuery")}
    if any(not check(body.get(name, "")) for name, check in asked.items()):
        raise gateway.invalid(next(name for name, check in asked.items() if not check(body.get(name, ""))))
    odd = gateway.check_fields(body, required, {**asked, **_OCCASIONS})
    note_oddities(world, app, "status", odd)
    if not any(name in body for name in asked):
        raise gateway.invalid("TransactionID")
    if "" in (body.get("TransactionID"), body.get("OriginalConversationID")):
        # Seen in production: an empty key is acknowledged with every field empty (daraja.md 7).
        return await gateway.instead_of_ack(fault, request, dict.fromkeys(_ack(""), ""))
    facts = {
        "reference": str(body.get("OriginalConversationID", "")),
        "shortcode": body["PartyA"],
        **_facts_of(courier, body),
    }
    ack_id = acknowledgement_id(courier, body)
    world.later(answer_status(courier, body, world.faults.next("daraja.status.answer", **facts), ack_id))
    return await gateway.instead_of_ack(fault, request, _ack(ack_id))


async def _balance_query(world: World, courier: Courier, request: Request) -> Response:
    app, body, fault = await _query(world, request, "daraja.balance.send", _BALANCE_DIALECT)
    odd = gateway.check_fields(body, {**_QUERY, "CommandID": matches("AccountBalance")}, _OCCASIONS)
    note_oddities(world, app, "balance", odd)
    ack_id = originator_id()
    answer = world.faults.next("daraja.balance.answer", shortcode=body["PartyA"])
    world.later(answer_balance(courier, body, answer, ack_id))
    return await gateway.instead_of_ack(fault, request, _ack(ack_id))


async def _query(
    world: World, request: Request, operation: str, dialect: str
) -> tuple[dict[str, Any], dict[str, Any], Fault | None]:
    app = app_of(world, request, dialect)
    body = await gateway.json_object(request, "Initiator")
    fault = world.faults.next(operation, shortcode=str(body.get("PartyA", "")))
    if fault and (refused := gateway.refusal(fault, dialect)):
        raise Refused(refused)
    return app, body, fault


def _facts_of(courier: Courier, body: dict[str, Any]) -> dict[str, str]:
    """The payment's own facts, where the query is about one that we know."""
    order = courier.bank.find(body["PartyA"], str(body.get("OriginalConversationID") or body.get("TransactionID")))
    return {"msisdn": order["request"]["PartyB"], "amount": str(order["amount"])} if order else {}


def _ack(originator: str, conversation: str | None = None) -> dict[str, str]:
    return {
        "ConversationID": conversation or conversation_id(utc_now()),
        "OriginatorConversationID": originator,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }


def _declare(world: World) -> None:
    faults = world.faults
    faults.declare("daraja.token", "refuse", "slow", "down", "throttle", "expire_now")
    faults.declare(
        "daraja.b2c.send", *gateway.REFUSING, *gateway.AFTER_EXECUTION, "refuse", "slow", "duplicate_as_result"
    )
    faults.declare("daraja.b2c.result", *RESULT_ACTIONS)
    faults.declare("daraja.status.send", *gateway.REFUSING, *gateway.AFTER_EXECUTION)
    faults.declare("daraja.status.answer", *STATUS_ACTIONS)
    faults.declare("daraja.balance.send", *gateway.REFUSING, *gateway.AFTER_EXECUTION)
    faults.declare("daraja.balance.answer", *BALANCE_ACTIONS)
