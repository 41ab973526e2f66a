"""The simulated tin: people's purses and partners' accounts in one book of movements.

/v1/accounts/…, /v1/payouts, /v1/prompts   what we call, with an account's token
/simulator/accounts                        opens an account: `number, token, announce_to`
/simulator/payments                        somebody pays an account of their own accord: `phone, account, amount, text`
/simulator/payouts/{reference}/tell        tells the outcome once more, or another one: `state`
/books                                     every movement, and what is in each purse

Faults, with their options in parentheses; all may be matched by `phone`:

tin.payout        refuse (code) · fail_later (reason) · timeout_before (seconds): never executed · slow (seconds)
                  timeout_after_execution (seconds)
tin.prompt        the same; `fail_later` is a payer who refuses
tin.callback      lose · double
tin.announcement  lose · double
"""

from collections import defaultdict
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import httpx
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from core.clock import utc_now
from simulators.faults import Fault
from simulators.messages import hang
from simulators.world import World

ACCOUNTS, ORDERS, MOVEMENTS = "tin.accounts", "tin.orders", "tin.movements"
_ACTIONS: Final = ("refuse", "fail_later", "timeout_before", "slow", "timeout_after_execution")
_CURRENCY: Final = "KES"


class _Order(BaseModel):
    """A payout (`to`) or a prompt (`from`)."""

    model_config = ConfigDict(extra="forbid")

    reference: str
    account: str
    amount: str
    currency: Literal["KES"]
    callback: str
    to: str | None = None
    payer: str | None = Field(default=None, alias="from")
    code: str | None = None


class _Account(BaseModel):
    number: str
    token: str
    announce_to: str | None = None


class _Payment(BaseModel):
    phone: str
    account: str
    amount: str
    text: str


class _Telling(BaseModel):
    state: Literal["paid", "failed"]


def routes(world: World) -> APIRouter:
    """Everything under /tin."""
    tin = _Tin(world)
    for operation in ("tin.payout", "tin.prompt"):
        world.faults.declare(operation, *_ACTIONS)
    for operation in ("tin.callback", "tin.announcement"):
        world.faults.declare(operation, "lose", "double")
    router = APIRouter()

    def account_of(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
        for account in world.documents.all(ACCOUNTS):
            if authorization == f"Bearer {account['token']}":
                return account
        raise HTTPException(401, "unknown token")

    caller_of = Depends(account_of)

    @router.get("/v1/accounts/{number}")
    async def account(number: str, caller: dict[str, Any] = caller_of) -> dict[str, Any]:
        if number != caller["number"]:
            raise HTTPException(401, "another's account")
        return {"number": number}

    @router.post("/v1/payouts")
    async def pay(order: _Order, request: Request, caller: dict[str, Any] = caller_of) -> Response:
        return await tin.take("payout", order.reference, order.to or "", order, request)

    @router.post("/v1/prompts")
    async def prompt(order: _Order, request: Request, caller: dict[str, Any] = caller_of) -> Response:
        name = f"tp{world.documents.next_number('tin.prompts'):08}"
        return await tin.take("prompt", name, order.payer or "", order, request)

    @router.get("/v1/{what}/{name}")
    async def find(what: Literal["payouts", "prompts"], name: str, caller: dict[str, Any] = caller_of) -> Response:
        found = world.documents.get(ORDERS, f"{what[:-1]}:{name}")
        return JSONResponse(_told(found)) if found else JSONResponse({"code": "not_found"}, 404)

    @router.post("/simulator/accounts", status_code=201)
    async def open_account(account: _Account) -> None:
        world.documents.put(ACCOUNTS, account.number, account.model_dump())

    @router.post("/simulator/payments", status_code=201)
    async def pay_in(payment: _Payment) -> dict[str, Any]:
        return await tin.pay_in(payment)

    @router.post("/simulator/payouts/{reference}/tell")
    async def tell(reference: str, telling: _Telling) -> None:
        found = world.documents.get(ORDERS, f"payout:{reference}")
        if found is None:
            raise HTTPException(404, "no such payout")
        await tin.post(found["callback"], {**_told(found), "state": telling.state})

    @router.get("/books")
    async def books() -> dict[str, Any]:
        """Movements in order: `receipt, from, to, amount, currency, reference, at`; a purse may be overdrawn."""
        purses: dict[str, Decimal] = defaultdict(Decimal)
        movements = world.documents.all(MOVEMENTS)
        for movement in movements:
            purses[movement["from"]] -= Decimal(movement["amount"])
            purses[movement["to"]] += Decimal(movement["amount"])
        return {"movements": movements, "purses": {name: f"{held:.2f}" for name, held in purses.items()}}

    return router


class _Tin:
    """What moves money, and tells of it."""

    def __init__(self, world: World) -> None:
        self.world, self.documents = world, world.documents

    async def take(
        self, what: Literal["payout", "prompt"], name: str, phone: str, wanted: _Order, request: Request
    ) -> Response:
        """One order, executed at once and told afterwards; or what its fault makes of it."""
        fault = self.world.faults.next(f"tin.{what}", phone=phone)
        action, seconds = (fault.action, float(fault.options.get("seconds", 60))) if fault else ("", 0.0)
        if fault is not None and action == "refuse":
            return JSONResponse({"code": fault.options.get("code", "purse_closed")}, 422)
        if action == "timeout_before":
            await hang(request, seconds)
            return Response(status_code=504)
        if action == "slow":
            await hang(request, seconds)
        if self.documents.get(ORDERS, f"{what}:{name}"):
            return JSONResponse({"code": "reference_taken"}, 409)
        order = self._executed(what, name, phone, wanted, fault)
        self.world.later(self._tell(order))
        if action == "timeout_after_execution":
            await hang(request, seconds)
            return Response(status_code=504)
        return JSONResponse({"id": name, "state": "accepted"}, 202)

    def _executed(self, what: str, name: str, phone: str, wanted: _Order, fault: Fault | None) -> dict[str, Any]:
        order = {
            "id": name, "reference": wanted.reference, "phone": phone, "amount": wanted.amount,
            "callback": wanted.callback, "state": "paid", "receipt": "", "reason": "", "at": utc_now().isoformat(),
        }  # fmt: skip
        if fault is not None and fault.action == "fail_later":
            order |= {"state": "failed", "reason": fault.options.get("reason", "refused_by_person")}
        else:
            ends = (wanted.account, phone) if what == "payout" else (phone, wanted.account)
            order["receipt"] = self._move(*ends, wanted.amount, wanted.reference)["receipt"]
        return self.documents.put(ORDERS, f"{what}:{name}", order)

    async def pay_in(self, payment: _Payment) -> dict[str, Any]:
        moved = self._move(payment.phone, payment.account, payment.amount, payment.text)
        told = {
            "receipt": moved["receipt"], "account": payment.account, "amount": payment.amount, "currency": _CURRENCY,
            "phone": f"+{payment.phone}", "text": payment.text, "at": moved["at"],
        }  # fmt: skip
        account = self.documents.get(ACCOUNTS, payment.account)
        if account and account["announce_to"]:
            self.world.later(self._post_as("tin.announcement", account["announce_to"], told, payment.phone))
        return moved

    def _move(self, giver: str, taker: str, amount: str, reference: str) -> dict[str, Any]:
        number = self.documents.next_number(MOVEMENTS)
        movement = {
            "receipt": f"TIN{number:07}", "from": giver, "to": taker, "amount": amount, "currency": _CURRENCY,
            "reference": reference, "at": utc_now().isoformat(),
        }  # fmt: skip
        return self.documents.put(MOVEMENTS, number, movement)

    async def _tell(self, order: dict[str, Any]) -> None:
        await self._post_as("tin.callback", order["callback"], _told(order), order["phone"])

    async def _post_as(self, operation: str, url: str, body: dict[str, Any], phone: str) -> None:
        fault = self.world.faults.next(operation, phone=phone)
        action = fault.action if fault else ""
        for _ in range({"lose": 0, "double": 2}.get(action, 1)):
            await self.post(url, body)

    async def post(self, url: str, body: dict[str, Any]) -> None:
        """Once; whoever does not hear it may ask."""
        try:
            await self.world.http.post(url, json=body)
        except (httpx.HTTPError, httpx.InvalidURL):
            return


def _told(order: dict[str, Any]) -> dict[str, Any]:
    shown = ("id", "reference", "state", "receipt", "amount", "reason", "at")
    return {**{name: order[name] for name in shown}, "currency": _CURRENCY, "phone": f"+{order['phone']}"}
