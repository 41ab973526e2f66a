"""The reference bank's own protocol (bank_ncba.md 6).

`GET /v1/accounts/{number}/entries?from=&to=&cursor=` is the statement:

    {"entries": [{"bank_transaction_id", "account", "direction": "CREDIT" | "DEBIT", "amount", "currency", "narration",
                  "client_reference", "value_time"}], "next_cursor": null | "…"}      both days included, oldest first
"""

from datetime import date
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from core.errors import InvalidRequest
from core.money import Money
from simulators.bank import mishaps
from simulators.bank.access import Customer, Refused, reference_customer
from simulators.bank.ledger import behaviour
from simulators.bank.models import ORDERS
from simulators.bank.orders import Bank, Order
from simulators.faults import Fault
from simulators.world import World

_RAILS: Final = {"INTERNAL": "internal", "PESALINK": "pesalink"}
_OPERATORS: Final = frozenset({"MPESA", "AIRTEL", "MTN"})


def reference_routes(world: World, bank: Bank) -> APIRouter:
    router = APIRouter(prefix="/v1")

    async def submit(request: Request, what: Literal["transfer", "float"]) -> Response:
        bank.resume()
        try:
            return await _submit(world, bank, request, reference_customer(world, request), what)
        except Refused as refused:
            return refused.response

    def find(request: Request, what: str, reference: str) -> Response:
        bank.resume()
        try:
            customer = reference_customer(world, request)
        except Refused as refused:
            return refused.response
        fault = world.faults.next("bank.find", reference=reference)
        if fault and fault.action == "down":
            return JSONResponse({"code": "UNAVAILABLE"}, 503)
        order = world.documents.get(ORDERS, _key(customer, reference))
        if order is None or order["what"] != what or fault:
            return JSONResponse({"code": "NOT_FOUND"}, 404)
        return JSONResponse({name: order[name] for name in ("state", "bank_reference", "reason", "settled_at")})

    @router.post("/transfers", response_model=None)
    async def transfers(request: Request) -> Response:
        return await submit(request, "transfer")

    @router.post("/float-purchases", response_model=None)
    async def float_purchases(request: Request) -> Response:
        return await submit(request, "float")

    @router.get("/transfers/{reference}", response_model=None)
    async def transfer(request: Request, reference: str) -> Response:
        return find(request, "transfer", reference)

    @router.get("/float-purchases/{reference}", response_model=None)
    async def float_purchase(request: Request, reference: str) -> Response:
        return find(request, "float", reference)

    @router.get("/accounts/{number}/entries", response_model=None)
    async def entries(request: Request, number: str) -> Response:
        try:
            customer = reference_customer(world, request)
        except Refused as refused:
            return refused.response
        fault = world.faults.next("bank.statement", dialect="reference", account=number)
        if ended := await mishaps.before(fault, request):
            return ended
        return _entries(world, bank, customer, number, dict(request.query_params), fault)

    return router


async def _submit(
    world: World, bank: Bank, request: Request, customer: Customer, what: Literal["transfer", "float"]
) -> Response:
    body = await _object(request)
    reference = body.get("client_reference")
    if not isinstance(reference, str) or not reference or request.headers.get("idempotency-key") != reference:
        return _refusal("INVALID_REQUEST", "client_reference")
    try:
        amount = Money.parse(str(body.get("amount")), str(body.get("currency")))
    except InvalidRequest:
        return _refusal("INVALID_REQUEST", "amount")
    source = str(body.get("source_account"))
    rail = str(body.get("rail" if what == "transfer" else "operator"))
    seen = {"dialect": "reference", "reference": reference, "account": source, "amount": amount.amount}
    seen["rail" if what == "transfer" else "operator"] = rail.lower()
    fault = world.faults.next(f"bank.{what}", **seen)
    if ended := await mishaps.before(fault, request):
        return ended
    # From here on nothing waits, so that two of one reference cannot both pass.
    if known := world.documents.get(ORDERS, _key(customer, reference)):
        if known["request"] != body:
            return JSONResponse({"code": "REFERENCE_CONFLICT"}, 409)
        return JSONResponse(_shown(known), 200)
    if fault and fault.action == "refuse":
        return _refusal(str(fault.options.get("code", "LIMIT_EXCEEDED")))
    order = _take(bank, customer, what, body, reference, source, rail, amount, fault)
    if mishaps.executes_at_once(fault):
        bank.settle(order)
    else:
        bank.start(order)
    odd = JSONResponse({"client_reference": reference, "state": "FAILED"}, 200)
    return await mishaps.after(fault, request, JSONResponse(_shown(order, "ACCEPTED"), 202), odd)


def _take(
    bank: Bank,
    customer: Customer,
    what: Literal["transfer", "float"],
    body: dict[str, Any],
    reference: str,
    source: str,
    rail: str,
    amount: Money,
    fault: Fault | None,
) -> Order:
    """The order. Raises Refused with a 422."""
    name = narration = ""
    if what == "transfer":
        destination = body.get("destination")
        fields = destination if isinstance(destination, dict) else {}
        number, name = str(fields.get("account", "")), str(fields.get("name", ""))
        if rail not in _RAILS or not number:
            raise Refused(_refusal("INVALID_REQUEST", "rail" if rail not in _RAILS else "destination"))
        target = number if rail == "INTERNAL" else f"pesalink:{fields.get('bank_code')}"
        narration = str(body.get("narration", ""))
        problem = bank.problem(
            source=source, owned=customer["accounts"], amount=amount, rail=_RAILS[rail], target=target,
            destination=number,
        )  # fmt: skip
    else:
        if rail not in _OPERATORS:
            raise Refused(_refusal("UNSUPPORTED_OPERATOR"))
        target = f"float:{rail.lower()}:{body.get('float_account')}"
        problem = bank.problem(source=source, owned=customer["accounts"], amount=amount)
    if amount.minor <= 0:
        problem = "INVALID_REQUEST"
    if problem:
        raise Refused(_refusal("ACCOUNT_NOT_FOUND" if problem == "OWN_BANK" else problem))
    return bank.take(
        dialect="reference", what=what, reference=reference, source=source, target=target, amount=amount,
        narration=f"{reference} {narration}".strip(), name=name, fault=fault, key=_key(customer, reference),
        request=body,
    )  # fmt: skip


def _entries(
    world: World, bank: Bank, customer: Customer, number: str, query: dict[str, str], fault: Fault | None
) -> Response:
    if number not in customer["accounts"]:
        return JSONResponse({"code": "NOT_FOUND"}, 404)
    try:
        start, end = (date.fromisoformat(query.get(name, "")).isoformat() for name in ("from", "to"))
        first = int(query.get("cursor", "0"))
    except ValueError:
        return _refusal("INVALID_REQUEST", "from, to or cursor")
    rows, size = bank.ledger.statement(number, start, end), behaviour(world).page_size
    shown = [
        {
            "bank_transaction_id": row["bank_transaction_id"],
            "account": row["account"],
            "direction": row["direction"].upper(),
            "amount": row["amount"],
            "currency": row["currency"],
            "narration": row["narration"],
            "client_reference": row["reference"],
            "value_time": row["at"],
            "balance": row["balance"],
        }
        for row in rows[first : first + size]
    ]
    if fault and fault.action == "torn_line" and shown:
        shown.insert(0, shown[0] | {"amount": "?", "bank_transaction_id": "FT26014TORN"})
    return JSONResponse({"entries": shown, "next_cursor": str(first + size) if first + size < len(rows) else None})


def _shown(order: Order, state: str | None = None) -> dict[str, Any]:
    return {
        "client_reference": order["reference"],
        "bank_reference": order["bank_reference"],
        "state": state or order["state"],
    }


def _refusal(code: str, field: str | None = None) -> Response:
    return JSONResponse({"code": code, **({"field": field} if field else {})}, 422)


def _key(customer: Customer, reference: str) -> str:
    return f"reference:{customer['name']}:{reference}"


async def _object(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(_refusal("INVALID_REQUEST", "body"))
    return body
