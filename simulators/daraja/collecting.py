"""The simulated Daraja where money comes in: prompts, C2B, pull and reversal (daraja.md 5, 6, 9).

Faults, with their options in parentheses; facts for matching are msisdn, amount ("1500"), reference (what the payer
reads or types) and shortcode, where the call has them:

daraja.stk.send          no prompt: the "not executed" ones of daraja.b2c.send · timeout_before (seconds) · busy
                         (message), the 500.001.1001 of a locked subscriber
                         prompted, the caller learns nothing: the "executed" ones of daraja.b2c.send
                         refuse (code): accepted, then failed by its callback · slow (seconds)
daraja.stk.callback      lose · duplicate (times) · early: before the ack · late (seconds) · forged, forged_url (amount,
                         receipt, known_ids, seconds) · wrong_amount (by) · as_strings · contradict_after,
                         contradict_before (code, seconds)
daraja.stk.query         pending · random_error (status) · timeout (seconds) · empty · html · failed_but_paid (code): a
                         failure, whatever the payer does · no_verdict · other_prompt: a
                         success that names another prompt · spike_arrest and the like of daraja.b2c.send
daraja.c2b.register      the "not executed" ones of daraja.b2c.send · soap_fault
daraja.c2b.validation    skip: none is sent
daraja.c2b.confirmation  lose · duplicate (times) · late (seconds) · wrong_amount (by); the fact `channel` is stk or paybill
daraja.pull.query        down · empty · bad_row · the "not executed" ones of daraja.b2c.send
daraja.reversal.send     both kinds of daraja.b2c.send · refuse (code): accepted, then failed by its Result
daraja.reversal.result   lose · duplicate (times) · late (seconds) · as_strings
"""

import random
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from simulators.daraja import gateway
from simulators.daraja.announcements import CONFIRMATION_ACTIONS, VALIDATION_ACTIONS, Announcements
from simulators.daraja.gateway import INCAPSULA, Check, callback_url, complaint, digits, matches, shillings
from simulators.daraja.identifiers import originator_id
from simulators.daraja.models import C2B_URLS, PULLERS
from simulators.daraja.portal import app_of, behaviour, note_oddities
from simulators.daraja.prompts import CALLBACK_ACTIONS, Prompt, Prompts
from simulators.daraja.pulling import pulled_page
from simulators.daraja.reversals import RESULT_ACTIONS, Reversals
from simulators.world import World

_STK_DIALECT, _C2B_DIALECT = "404.001.03", "400.003.01"

Handler = Callable[[Request], Awaitable[Response]]
Add = Callable[[str, Handler, list[str]], None]


_SHORTCODE: Final = digits(r"\d{5,7}")
_PHONE: Final = digits(r"254[17]\d{8}")
_SIGNED: Final[dict[str, Check]] = {
    "BusinessShortCode": _SHORTCODE,
    "Password": matches(r"[A-Za-z0-9+/]{8,}={0,2}"),
    "Timestamp": digits(r"20\d{12}"),
}
_PUSH: Final[dict[str, Check]] = {
    **_SIGNED,
    "TransactionType": matches("CustomerPayBillOnline|CustomerBuyGoodsOnline"),
    "Amount": shillings,
    "PartyA": _PHONE,
    "PartyB": _SHORTCODE,
    "PhoneNumber": _PHONE,
    "CallBackURL": callback_url,
    "AccountReference": matches(r".{1,12}"),
}
_REGISTER: Final[dict[str, Check]] = {
    "ShortCode": _SHORTCODE,
    "ResponseType": matches("Completed|Cancelled"),
    "ConfirmationURL": callback_url,
    "ValidationURL": callback_url,
}
_SIMULATE: Final[dict[str, Check]] = {
    "ShortCode": _SHORTCODE,
    "CommandID": matches("CustomerPayBillOnline|CustomerBuyGoodsOnline"),
    "Amount": shillings,
    "Msisdn": _PHONE,
}
_REFERENCE: Final = matches(r".{0,40}")
_PULL_REGISTER: Final[dict[str, Check]] = {
    "ShortCode": _SHORTCODE,
    "RequestType": matches("Pull"),
    "NominatedNumber": _PHONE,
    "CallBackURL": callback_url,
}
_LOCAL_TIME: Final = matches(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_PULL: Final[dict[str, Check]] = {
    "ShortCode": _SHORTCODE,
    "StartDate": _LOCAL_TIME,
    "EndDate": _LOCAL_TIME,
    "OffSetValue": digits(r"\d{1,9}"),
}


class CollectingDesk:
    """The handlers, given to the router by `open`."""

    def __init__(self, world: World, prompts: Prompts, announcements: Announcements, reversals: Reversals) -> None:
        self.world, self.prompts, self.announcements, self.reversals = world, prompts, announcements, reversals
        self.till = announcements.till

    def open(self, add: Add) -> None:
        add("/mpesa/stkpush/v1/processrequest", self._push, ["POST"])
        add("/mpesa/stkpushquery/v1/query", self._query, ["POST"])
        for version in ("v1", "v2"):
            add(f"/mpesa/c2b/{version}/registerurl", self._registrar(version), ["POST"])
            add(f"/mpesa/c2b/{version}/simulate", self._simulate, ["POST"])
        add("/pulltransactions/v1/register", self._pull_register, ["POST"])
        # GET with a body in one place of the documentation, POST in others (daraja.md 5).
        add("/pulltransactions/v1/query", self._pull, ["GET", "POST"])
        add("/mpesa/reversal/v1/request", self.reversals.take, ["POST"])

    async def _push(self, request: Request) -> Response:
        app = app_of(self.world, request, _STK_DIALECT)
        body = await gateway.json_object(request, "BusinessShortCode")
        facts = {
            "msisdn": str(body.get("PhoneNumber", "")),
            "amount": str(body.get("Amount", "")),
            "reference": str(body.get("AccountReference", "")),
            "shortcode": str(body.get("BusinessShortCode", "")),
        }
        fault = self.world.faults.next("daraja.stk.send", **facts)
        options = fault.options if fault else {}
        if fault and (refused := gateway.refusal(fault, _STK_DIALECT)):
            return refused
        odd = gateway.check_fields(body, _PUSH, {"TransactionDesc": matches(r".{0,13}")})
        note_oddities(self.world, app, "stk", odd)
        if fault and fault.action == "timeout_before":
            await gateway.stay_silent(request, float(options.get("seconds", 60)))
            return HTMLResponse(INCAPSULA, 504)
        if fault and fault.action == "busy":
            text = "Unable to lock subscriber, a transaction is already in process for the current subscriber"
            return complaint("500.001.1001", str(options.get("message", text)))
        if fault and fault.action == "slow":
            await gateway.stay_silent(request, float(options.get("seconds", 1)))
        if self.till.shortcode_of(str(body["BusinessShortCode"])) is None:
            return complaint("500.001.1001", "Merchant does not exist")
        if not self.prompts.is_signed(body):
            return complaint("500.001.1001", "Wrong credentials")

        callback_fault = self.world.faults.next("daraja.stk.callback", **facts)
        prompt = self.prompts.take(body, fault, callback_fault)
        if callback_fault and callback_fault.action == "early":
            self.prompts.settle(prompt)
            await self.prompts.deliver(prompt)
        else:
            self.world.later(self.prompts.run(prompt))
        ack = {
            "MerchantRequestID": prompt["merchant_request_id"],
            "CheckoutRequestID": prompt["checkout_id"],
            "ResponseCode": "0",
            "ResponseDescription": "Success. Request accepted for processing",
            "CustomerMessage": "Success. Request accepted for processing",
        }
        return await gateway.instead_of_ack(fault, request, ack)

    async def _query(self, request: Request) -> Response:
        app_of(self.world, request, _STK_DIALECT)
        body = await gateway.json_object(request, "BusinessShortCode")
        prompt = self.prompts.find(str(body.get("CheckoutRequestID")))
        facts = {"shortcode": str(body.get("BusinessShortCode", "")), **(_facts_of(prompt) if prompt else {})}
        fault = self.world.faults.next("daraja.stk.query", **facts)
        if fault and (refused := gateway.refusal(fault, _STK_DIALECT)):
            return refused
        gateway.check_fields(body, {**_SIGNED, "CheckoutRequestID": matches(r"[A-Za-z0-9_-]{1,60}")}, {})
        if not self.prompts.is_signed(body):
            return complaint("500.001.1001", "Wrong credentials")
        if prompt is None:
            return complaint("500.001.1001", "The transaction does not Exist")
        action, options = (fault.action, fault.options) if fault else ("", {})
        match action:
            case "timeout":
                await gateway.stay_silent(request, float(options.get("seconds", 60)))
                return HTMLResponse(INCAPSULA, 504)
            case "empty":
                return Response(status_code=200, media_type="application/json")
            case "html":
                return HTMLResponse(INCAPSULA, int(options.get("status", 503)))
            case "random_error":
                return complaint("500.001.1001", "", int(options.get("status", 500)))
            case "failed_but_paid":
                return JSONResponse(self.prompts.answer(prompt, str(options.get("code", "1037"))))
            case "other_prompt":
                return JSONResponse(
                    {**self.prompts.answer(prompt, "0"), "CheckoutRequestID": f"{prompt['checkout_id']}9"}
                )
            case "no_verdict":
                answer = self.prompts.answer(prompt, "0")
                return JSONResponse({key: answer[key] for key in ("ResponseCode", "ResponseDescription")})
        if action == "pending" or prompt["state"] == "prompted":
            return self._in_flight(prompt)
        return JSONResponse(self.prompts.answer(prompt, prompt["code"]))

    def _in_flight(self, prompt: Prompt) -> Response:
        """Any of the three forms that were seen (daraja.md 6)."""
        number = self.world.documents.next_number("daraja.stk_queries")
        form = random.Random(f"stk-query:{self.world.faults.seed}:{number}").randrange(3)
        if form == 0:
            return JSONResponse(self.prompts.answer(prompt, "4999"))
        return complaint(
            "500.001.1001", "" if form == 1 else "The transaction is being processed", (200, 500)[form - 1]
        )

    def _registrar(self, version: str) -> Handler:
        async def register(request: Request) -> Response:
            app_of(self.world, request, _C2B_DIALECT)
            body = await gateway.json_object(request, "ShortCode")
            shortcode = str(body.get("ShortCode", ""))
            fault = self.world.faults.next("daraja.c2b.register", shortcode=shortcode)
            if fault and (refused := gateway.refusal(fault, _C2B_DIALECT)):
                return refused
            if fault and fault.action == "soap_fault":
                text = {"faultcode": "env:Server", "faultstring": "Service unavailable"}
                return JSONResponse({"Envelope": {"Body": {"Fault": text}}}, 500)
            gateway.check_fields(body, _REGISTER, {})
            if self.till.shortcode_of(shortcode) is None:
                raise gateway.invalid("ShortCode")
            if self.world.documents.get(C2B_URLS, shortcode) and not behaviour(self.world).sandbox:
                return complaint("500.003.1001", "Urls are already registered")
            kept = {
                "shortcode": shortcode,
                "confirmation": body["ConfirmationURL"],
                "validation": body["ValidationURL"],
                "response_type": body["ResponseType"],
                "version": version,
            }
            self.world.documents.put(C2B_URLS, shortcode, kept)
            return JSONResponse(_c2b_ack("Success"))

        return register

    async def _simulate(self, request: Request) -> Response:
        app_of(self.world, request, _C2B_DIALECT)
        body = await gateway.json_object(request, "ShortCode")
        if not behaviour(self.world).sandbox:
            return complaint("404.001.01", "Resource not found")
        # Null for a till.
        gateway.check_fields(body, _SIMULATE, {"BillRefNumber": lambda value: value is None or _REFERENCE(value)})
        party, phone = str(body["ShortCode"]), str(body["Msisdn"])
        if self.till.shortcode_of(party) is None:
            raise gateway.invalid("ShortCode")

        async def pay() -> None:
            await self.announcements.pay(party, phone, int(body["Amount"]), str(body.get("BillRefNumber") or ""))

        self.world.later(pay())
        return JSONResponse(_c2b_ack("Accept the service request successfully."))

    async def _pull_register(self, request: Request) -> Response:
        app_of(self.world, request, _C2B_DIALECT)
        body = await gateway.json_object(request, "ShortCode")
        gateway.check_fields(body, _PULL_REGISTER, {})
        shortcode = str(body["ShortCode"])
        if self.till.shortcode_of(shortcode) is None:
            raise gateway.invalid("ShortCode")
        known = self.world.documents.get(PULLERS, shortcode)
        self.world.documents.put(PULLERS, shortcode, {"shortcode": shortcode})
        code, text = (
            ("1001", "ShortCode already Registered") if known else ("1000", "Shortcode Registered Successfully")
        )
        answer = {"ResponseRefID": originator_id(), "ResponseStatus": code, "ShortCode": shortcode}
        return JSONResponse({**answer, "ResponseDescription": text})

    async def _pull(self, request: Request) -> Response:
        app_of(self.world, request, _C2B_DIALECT)
        body = await gateway.json_object(request, "ShortCode")
        shortcode = str(body.get("ShortCode", ""))
        fault = self.world.faults.next("daraja.pull.query", shortcode=shortcode)
        action = fault.action if fault else ""
        if fault and (refused := gateway.refusal(fault, _C2B_DIALECT)):
            return refused
        if action == "down":
            return HTMLResponse(INCAPSULA, 503)
        gateway.check_fields(body, _PULL, {})
        if self.world.documents.get(PULLERS, shortcode) is None:
            # What a short code that never registered gets is documented nowhere; here it is a bad request.
            return complaint("400.003.02", "Bad Request - ShortCode not registered")
        rows = pulled_page(self.world, self.announcements.bank, shortcode, body) if action != "empty" else []
        if action == "bad_row" and rows:
            rows[0] = {**rows[0], "amount": "?"}
        answer = {"ResponseRefID": originator_id(), "ResponseCode": "1000" if rows else "1001"}
        text = "Success" if rows else "No transactions found"
        return JSONResponse({**answer, "ResponseMessage": text, "Response": [rows]})


def declare_collecting(world: World) -> None:
    faults, refusing, executed = world.faults, gateway.REFUSING, gateway.AFTER_EXECUTION
    faults.declare("daraja.stk.send", *refusing, *executed, "timeout_before", "busy", "refuse", "slow")
    faults.declare("daraja.stk.callback", *CALLBACK_ACTIONS)
    faults.declare(
        "daraja.stk.query", *refusing, "pending", "random_error", "timeout", "empty", "html", "failed_but_paid",
        "no_verdict", "other_prompt",
    )  # fmt: skip
    faults.declare("daraja.c2b.register", *refusing, "soap_fault")
    faults.declare("daraja.c2b.validation", *VALIDATION_ACTIONS)
    faults.declare("daraja.c2b.confirmation", *CONFIRMATION_ACTIONS)
    faults.declare("daraja.pull.query", *refusing, "down", "empty", "bad_row")
    faults.declare("daraja.reversal.send", *refusing, *executed, "refuse")
    faults.declare("daraja.reversal.result", *RESULT_ACTIONS)


def _facts_of(prompt: Prompt) -> dict[str, str]:
    return {
        "msisdn": prompt["msisdn"],
        "amount": str(prompt["amount"]),
        "reference": str(prompt["request"]["AccountReference"]),
    }


def _c2b_ack(text: str) -> dict[str, str]:
    # The misspelling is Daraja's own.
    return {"OriginatorCoversationID": originator_id(), "ResponseCode": "0", "ResponseDescription": text}
