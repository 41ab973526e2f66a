"""Instructions: taken, checked and executed here, whatever the caller is answered."""

import asyncio
from typing import Any, Final, Literal

from core.clock import utc_now
from core.money import Money
from simulators.bank.courier import Courier
from simulators.bank.ledger import OUTSIDE, Facts, Ledger, Movement, behaviour
from simulators.bank.models import ORDERS, Dialect
from simulators.faults import Fault
from simulators.world import World

Order = dict[str, Any]

PESALINK_MINOR: Final = (50_00, 999_999_00)


class Bank:
    """An order is ACCEPTED, then SETTLED or REJECTED; a settled one may become REVERSED. Money moves when it settles;
    before that it is reserved. Nothing here waits but `run`, so that each step is done wholly or not at all."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.documents = world.documents
        self.ledger = Ledger(world)
        self.courier = Courier(world)
        self._resumed = False

    def resume(self) -> None:
        """Takes up, once per process, what was left open when the simulator stopped."""
        if self._resumed:
            return
        self._resumed = True
        self.courier.resume()
        for order in self.documents.all(ORDERS):
            if order["state"] == "ACCEPTED":
                self.start(order)

    def post(
        self, source: str, target: str, amount: Money, facts: Facts, transaction_id: str | None = None
    ) -> Movement:
        """Books a movement and announces it."""
        movement = self.ledger.move(source, target, amount, facts, transaction_id=transaction_id)
        self.courier.announce(movement)
        return movement

    def problem(
        self,
        *,
        source: str,
        owned: list[str],
        amount: Money,
        rail: str = "",
        target: str = "",
        destination: str = "",
    ) -> str | None:
        """Why an instruction is refused, in the reference bank's words, or None. "OWN_BANK" is NCBA's RC01."""
        account = self.ledger.account(source)
        if account is None or source not in owned or account["currency"] != amount.currency:
            return "ACCOUNT_NOT_FOUND"
        if rail == "internal" and self.ledger.account(destination) is None:
            return "ACCOUNT_NOT_FOUND"
        if rail == "pesalink" and target in ("pesalink:07", "pesalink:07000"):
            return "OWN_BANK"
        if rail == "pesalink" and not PESALINK_MINOR[0] <= amount.minor <= PESALINK_MINOR[1]:
            return "LIMIT_EXCEEDED"
        if self.available(source) < amount.minor:
            return "INSUFFICIENT_FUNDS"
        return None

    def available(self, number: str) -> int:
        """The balance less what accepted orders will take, in minor units."""
        waiting = [order for order in self.documents.all(ORDERS) if order["state"] == "ACCEPTED"]
        return self.ledger.balance(number) - sum(int(order["minor"]) for order in waiting if order["source"] == number)

    def take(
        self,
        *,
        dialect: Dialect,
        what: Literal["transfer", "float"],
        reference: str,
        source: str,
        target: str,
        amount: Money,
        narration: str,
        name: str,
        fault: Fault | None,
        key: str | None = None,
        request: dict[str, Any] | None = None,
    ) -> Order:
        """Accepts an order. The fault chosen for it is kept with it, so that a restart goes on as planned."""
        number = self.documents.next_number("bank.orders")
        key = key or f"{dialect}:{number}"
        order = {
            "key": key,
            "dialect": dialect,
            "what": what,
            "reference": reference,
            "bank_reference": f"RB{utc_now():%y%m}-{number:06d}",
            "transaction_id": self.ledger.new_transaction_id(),
            "source": source,
            "target": target,
            "minor": amount.minor,
            "currency": amount.currency,
            "narration": narration,
            "name": name,
            "state": "ACCEPTED",
            "reason": None,
            "settled_at": None,
            "request": request,
            "action": fault.action if fault else "",
            "options": fault.options if fault else {},
        }
        return self.documents.put(ORDERS, key, order)

    def start(self, order: Order) -> None:
        self.world.later(self.run(order))

    async def run(self, order: Order) -> None:
        await asyncio.sleep(behaviour(self.world).settle_seconds)
        self.settle(order)

    def settle(self, order: Order) -> None:
        """Executes an accepted order, once, or rejects it where its fault says so (`reject_later`)."""
        if order["state"] != "ACCEPTED":
            return
        rejected = order["action"] == "reject_later"
        if not rejected or order["options"].get("debited", False):
            self._pay(order)
        if rejected:
            self._close(order, "REJECTED", str(order["options"].get("code", "ACCOUNT_NOT_FOUND")))
            if order["options"].get("debited", False):
                self._pay_back(order)
            self._tell(order, "rejected")
            return
        self._close(order, "SETTLED", None)
        self._tell(order, "settled")
        if order["action"] == "reverse_later":
            self.world.later(self._reverse(order))

    def deposit(self, account: str, amount: Money, narration: str, name: str, phone: str, source: str = OUTSIDE) -> str:
        """Somebody pays in; the bank's transaction id."""
        facts: Facts = {"narration": narration, "kind": "deposit", "name": name, "phone": phone}
        return str(self.post(source, account, amount, facts)["bank_transaction_id"])

    async def _reverse(self, order: Order) -> None:
        await asyncio.sleep(float(order["options"].get("seconds", 0.3)))
        self._pay_back(order)
        self._close(order, "REVERSED", None)
        self._tell(order, "reversed")

    def _pay(self, order: Order) -> None:
        facts: Facts = {
            "narration": order["narration"],
            "kind": order["what"],
            "reference": order["reference"],
            "bank_reference": order["bank_reference"],
            "name": order["name"],
        }
        amount = Money(order["minor"], order["currency"])
        self.post(order["source"], order["target"], amount, facts, order["transaction_id"])

    def _pay_back(self, order: Order) -> None:
        facts: Facts = {
            "narration": f"REVERSAL {order['narration']}",
            "kind": "reversal",
            "reference": order["reference"],
            "bank_reference": order["bank_reference"],
            "name": order["name"],
        }
        self.post(order["target"], order["source"], Money(order["minor"], order["currency"]), facts)

    def _close(self, order: Order, state: str, reason: str | None) -> None:
        order |= {"state": state, "reason": reason, "settled_at": utc_now().isoformat()}
        self.documents.put(ORDERS, order["key"], order)

    def _tell(self, order: Order, outcome: str) -> None:
        if order["dialect"] == "reference":
            self.courier.tell_result(order, f"{order['what']}.{outcome}")
