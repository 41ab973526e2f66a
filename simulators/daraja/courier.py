"""Executes queued orders after a while and posts their Results, once each and never again (daraja.md, fact 4)."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

import httpx

from core.clock import utc_now
from simulators.daraja import envelopes
from simulators.daraja.bank import Bank, Order
from simulators.daraja.identifiers import conversation_id, originator_id, receipt
from simulators.daraja.models import ORDERS
from simulators.daraja.portal import behaviour
from simulators.world import World

RESULT_ACTIONS: Final = (
    "lose", "duplicate", "early", "late", "contradict_after", "contradict_before", "forged", "forged_url",
    "timeout_notice_only", "timeout_notice_then_result", "wrong_amount", "as_strings", "pending_first",
)  # fmt: skip


class Courier:
    """Delivers what the bank decided, or what the fault chosen for the order makes of it."""

    def __init__(self, world: World, bank: Bank) -> None:
        self.world = world
        self.bank = bank
        self._resumed = False

    def dice(self, number: int) -> random.Random:
        return random.Random(f"daraja:{self.world.faults.seed}:{number}")

    def resume(self) -> None:
        """Takes up, once per process, what was queued or not yet delivered when the simulator stopped."""
        if self._resumed:
            return
        self._resumed = True
        for order in self.world.documents.all(ORDERS):
            if order["callback"] == "due":
                self.start(order)

    def start(self, order: Order) -> None:
        self.world.later(self.run(order))

    async def run(self, order: Order) -> None:
        """Waits, executes, delivers."""
        await asyncio.sleep(behaviour(self.world).execution_delay_seconds)
        self.settle(order)
        await self.deliver(order)

    def settle(self, order: Order) -> None:
        """Executes the order, unless it is one that dies in the queue (`timeout_notice_only`)."""
        fault = order["result_fault"] or {"action": "", "options": {}}
        if fault["action"] == "timeout_notice_only" and not fault["options"].get("executed", False):
            if order["state"] == "queued":
                self.bank.expire(order)
        else:
            self.bank.execute(order)

    async def deliver(self, order: Order) -> None:
        """Posts the order's callbacks. They count as delivered from the first post on, whatever comes back."""
        fault = order["result_fault"] or {"action": "", "options": {}}
        action, options = fault["action"], fault["options"]
        request, pause = order["request"], float(options.get("seconds", 0.3))
        if action == "late":
            await asyncio.sleep(float(options.get("seconds", 5)))
        if order["callback"] != "due":
            return
        order["callback"] = "done"
        self.bank.save(order)
        url, true = request["ResultURL"], self.result_of(order)
        match action:
            case "lose":
                return
            case "duplicate":
                for _ in range(int(options.get("times", 2))):
                    await self.post(url, true)
            case "contradict_after":
                await self.post(url, true)
                await asyncio.sleep(pause)
                await self.post(url, envelopes.payout_failed(order, str(options.get("code", "1"))))
            case "contradict_before":
                await self.post(url, envelopes.payout_failed(order, str(options.get("code", "1"))))
                await asyncio.sleep(pause)
                await self.post(url, true)
            case "forged":
                await self.post(url, self._forged(order, options))
                await asyncio.sleep(pause)
                await self.post(url, true)
            case "forged_url":
                await self.post(broken_address(url), self._forged(order, options))
                await asyncio.sleep(pause)
                await self.post(url, true)
            case "timeout_notice_only":
                await self._notice(order, options)
            case "timeout_notice_then_result":
                await self._notice(order, options)
                await asyncio.sleep(pause)
                await self.post(url, true)
            case "wrong_amount":
                wrong = {**order, "amount": order["amount"] + int(options.get("by", 1))}
                await self.post(url, self.result_of(wrong))
            case "as_strings":
                await self.post(url, envelopes.as_strings(true))
            case "pending_first":
                waiting = {**true["Result"], "ResultType": 1}
                waiting.pop("ResultParameters", None)
                await self.post(url, {"Result": waiting})
                await asyncio.sleep(pause)
                await self.post(url, true)
            case _:
                await self.post(url, true)

    def result_of(self, order: Order) -> dict[str, Any]:
        """What M-Pesa truly has to say of an executed order."""
        if order["state"] == "paid":
            name = self.bank.customer_name(order["request"]["PartyB"])
            return envelopes.payout_paid(order, name, self.dice(order["number"]))
        return envelopes.payout_failed(order, order["code"] or "17")

    async def post(self, url: str, body: Mapping[str, Any]) -> None:
        """One attempt. Nobody learns whether it arrived."""
        try:
            await self.world.http.post(url, json=body, headers={"content-type": "application/json;charset=UTF-8"})
        except (httpx.HTTPError, httpx.InvalidURL):
            return

    async def _notice(self, order: Order, options: Mapping[str, Any]) -> None:
        notice = envelopes.timeout_notice(order, str(options.get("shape", "echo")))
        await self.post(order["request"]["QueueTimeOutURL"], notice)

    def _forged(self, order: Order, options: Mapping[str, Any]) -> dict[str, Any]:
        """An invented success. `known_ids` lets the forger know the payment's own ids, `amount` its amount."""
        now = utc_now()
        known = bool(options.get("known_ids", False))
        invented = {
            **order,
            "state": "paid",
            "receipt": str(options.get("receipt") or receipt(self.world.documents, now)),
            "amount": int(options.get("amount", order["amount"] + 1_000)),
            "originator_id": order["originator_id"] if known else originator_id(),
            "conversation_id": order["conversation_id"] if known else conversation_id(now),
        }
        name = self.bank.customer_name(order["request"]["PartyB"])
        return envelopes.payout_paid(invented, name, self.dice(order["number"]))


def broken_address(url: str) -> str:
    """The same address with its last hex digit changed: a secret that nobody signed."""
    head, tail = url.rstrip("/"), ""
    while head and head[-1] not in "0123456789abcdef":
        head, tail = head[:-1], head[-1] + tail
    return f"{head[:-1]}{'1' if head[-1:] == '0' else '0'}{tail}"
