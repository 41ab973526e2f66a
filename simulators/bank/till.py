"""NCBA's Till API (bank_ncba.md 3): a prompt on a phone, a payer who pays after a while, and a query that may be wrong."""

import asyncio
import secrets
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from core.clock import utc_now
from core.errors import InvalidRequest
from core.money import Money
from simulators.bank import mishaps
from simulators.bank.access import Customer, Refused, till_customer, till_login
from simulators.bank.ledger import behaviour
from simulators.bank.models import PROMPTS
from simulators.bank.orders import Bank
from simulators.world import World

ASK_ACTIONS: Final = ("refuse", "timeout_after_execution", "payer_refuses")
QUERY_ACTIONS: Final = ("failed_but_credited_later",)

_FIELDS: Final = ("TelephoneNo", "Amount", "PayBillNo", "AccountNo", "Network", "TransactionType")
_ANSWERS: Final = {"waiting": "PENDING", "paid": "SUCCESS", "refused": "FAILED"}


def till_routes(world: World, bank: Bank) -> APIRouter:
    router = APIRouter(prefix="/payments/api/v1")

    @router.get("/auth/token", response_model=None)
    async def token(request: Request) -> Response:
        try:
            return JSONResponse(till_login(world, request))
        except Refused as refused:
            return refused.response

    @router.post("/stk-push/initiate", response_model=None)
    async def initiate(request: Request) -> Response:
        bank.resume()
        try:
            return await _initiate(world, bank, request, till_customer(world, request))
        except Refused as refused:
            return refused.response

    @router.post("/stk-push/query", response_model=None)
    async def query(request: Request) -> Response:
        try:
            till_customer(world, request)
        except Refused as refused:
            return refused.response
        body = await request.json()
        prompt = world.documents.get(PROMPTS, str(body.get("TransactionID")))
        if prompt is None:
            return JSONResponse({"status": "NOT_FOUND", "description": "Unknown transaction"})
        fault = world.faults.next("bank.till.query", msisdn=prompt["msisdn"], account=prompt["account"])
        if fault and prompt["state"] == "waiting":
            # The payment stays in flight at least for so long after this wrong answer.
            held = utc_now().timestamp() + float(fault.options.get("seconds", 0.3))
            world.documents.put(PROMPTS, prompt["id"], prompt | {"held_until": held})
        status = "FAILED" if fault else _ANSWERS[prompt["state"]]
        return JSONResponse({"status": status, "description": status.capitalize()})

    return router


async def _initiate(world: World, bank: Bank, request: Request, customer: Customer) -> Response:
    body = await request.json()
    fields = body if isinstance(body, dict) else {}
    if any(not isinstance(fields.get(name), str) or not fields[name] for name in _FIELDS):
        return _refusal("Missing field")
    till = str(fields["AccountNo"]).partition("#")[0]
    fault = world.faults.next("bank.till.ask", msisdn=fields["TelephoneNo"], account_no=fields["AccountNo"])
    if fault and fault.action == "refuse":
        return _refusal("Declined")
    try:
        amount = Money(int(fields["Amount"]) * 100, "KES")
    except (ValueError, InvalidRequest):
        return _refusal("Invalid amount")
    if till != customer["till_account"] or fields["PayBillNo"] != customer["till_paybill"] or amount.minor <= 0:
        return _refusal("Unknown till or paybill")
    prompt = {
        "id": f"ws_{utc_now():%d%m%Y%H%M%S}{secrets.token_hex(5)}",
        "msisdn": fields["TelephoneNo"],
        "minor": amount.minor,
        "account_no": fields["AccountNo"],
        "account": customer["till_lands_on"] or customer["accounts"][0],
        "state": "waiting",
        "held_until": 0,
    }
    world.documents.put(PROMPTS, prompt["id"], prompt)
    world.later(_answer_prompt(world, bank, prompt["id"], pays=not (fault and fault.action == "payer_refuses")))
    taken = {
        "TransactionID": prompt["id"], "ReferenceID": secrets.token_hex(8), "StatusCode": "0",
        "StatusDescription": "Success. Request accepted for processing",
    }  # fmt: skip
    return await mishaps.after(fault, request, JSONResponse(taken), _refusal("Declined"))


async def _answer_prompt(world: World, bank: Bank, prompt_id: str, *, pays: bool) -> None:
    await asyncio.sleep(behaviour(world).payer_seconds)
    prompt: dict[str, Any] = world.documents.get(PROMPTS, prompt_id) or {}
    while prompt and (left := prompt["held_until"] - utc_now().timestamp()) > 0:
        await asyncio.sleep(left)
        prompt = world.documents.get(PROMPTS, prompt_id) or {}
    if not prompt:
        return
    if not pays:
        world.documents.put(PROMPTS, prompt_id, prompt | {"state": "refused"})
        return
    bank.deposit(
        prompt["account"], Money(prompt["minor"], "KES"), prompt["account_no"], "AKINYI NEKESA", prompt["msisdn"],
        source=f"mpesa:{prompt['msisdn']}",
    )  # fmt: skip
    world.documents.put(PROMPTS, prompt_id, prompt | {"state": "paid"})


def _refusal(words: str) -> Response:
    return JSONResponse({"TransactionID": "", "ReferenceID": "", "StatusCode": "1", "StatusDescription": words})
