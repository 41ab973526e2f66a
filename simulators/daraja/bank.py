"""The money: orders are taken, checked and executed here, whatever the gateway answers (daraja.md 3.7)."""

from datetime import datetime
from typing import Any

from core.clock import utc_now
from core.money import Money
from simulators.books import PAYOUTS
from simulators.daraja.identifiers import NAIROBI, conversation_id, originator_id, receipt
from simulators.daraja.keys import InitiatorKey
from simulators.daraja.models import CUSTOMERS, ORDERS, SHORTCODES, UNREGISTERED_PREFIX, charge_of
from simulators.daraja.portal import behaviour
from simulators.faults import Fault
from simulators.world import World

Order = dict[str, Any]

_NAMES = ("WANJIRU ACHIENG OTIENO", "KAMAU MWANGI NJOROGE", "AKINYI NEKESA WAFULA", "MUTUA KILONZO MUSYOKA")


class Bank:
    """An order is `queued`, then `paid`, `failed` (with a result code) or `expired`; each is kept in the documents.

    Nothing here waits, so that an order is executed wholly or not at all.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.documents = world.documents
        self._key: InitiatorKey | None = None

    @property
    def key(self) -> InitiatorKey:
        # Made when first needed: generating RSA keys takes a while.
        if self._key is None or self.documents.get("daraja.keys", "initiator") is None:
            self._key = InitiatorKey(self.documents)
        return self._key

    def order(self, reference: str) -> Order | None:
        return self.documents.get(ORDERS, reference)

    def find(self, shortcode: str, asked: str) -> Order | None:
        """By OriginatorConversationID, ConversationID or receipt, among the short code's own."""
        return next(
            (
                order
                for order in self.documents.all(ORDERS)
                if order["request"]["PartyA"] == shortcode
                and asked in (order["originator_id"], order["conversation_id"], order["receipt"])
            ),
            None,
        )

    def take(self, version: str, request: dict[str, Any], sent: Fault | None, result: Fault | None) -> Order:
        """Queues an order. The faults chosen for it are kept with it, so that a restart goes on as planned."""
        now = utc_now()
        reference = (request.get("OriginatorConversationID") if version == "v3" else None) or originator_id()
        order = {
            "originator_id": reference,
            "conversation_id": conversation_id(now),
            "number": self.documents.next_number("daraja.orders"),
            "version": version,
            "request": request,
            "amount": int(request["Amount"]),
            "state": "queued",
            "code": None,
            "receipt": receipt(self.documents, now),
            "charge": 0,
            "funds": {},
            "taken_at": now.isoformat(),
            "executed_at": None,
            "callback": "due",
            "send_fault": _keep(sent),
            "result_fault": _keep(result),
        }
        return self.documents.put(ORDERS, reference, order)

    def save(self, order: Order) -> None:
        self.documents.put(ORDERS, order["originator_id"], order)

    def execute(self, order: Order) -> None:
        """Pays the order or fails it, once."""
        if order["state"] != "queued":
            return
        now = utc_now()
        code = self._verdict(order, now)
        shortcode = self.documents.get(SHORTCODES, order["request"]["PartyA"])
        if code == "0":
            assert shortcode is not None
            order["charge"] = charge_of(order["amount"])
            # After a crash between the two writes the books have it already: the money then stays moved once.
            if self.documents.get(PAYOUTS, order["receipt"]) is None:
                self._book(order, now)
                shortcode["utility"] -= order["amount"] * 100
                shortcode["charges"] -= order["charge"] * 100
                self.documents.put(SHORTCODES, shortcode["shortcode"], shortcode)
        funds = {name: shortcode[name] for name in ("utility", "working", "charges")} if shortcode else {}
        order |= {
            "state": "paid" if code == "0" else "failed",
            "code": code,
            "funds": funds,
            "executed_at": now.isoformat(),
        }
        self.save(order)

    def expire(self, order: Order) -> None:
        """The order dies in the queue without being executed."""
        order |= {"state": "expired", "executed_at": utc_now().isoformat()}
        self.save(order)

    def initiator_problem(self, shortcode: str, name: str, credential: str) -> str | None:
        """None, or the code of a refused initiator: TP40153, 2001, and 8006 once it is locked."""
        known = self.documents.get(SHORTCODES, shortcode)
        if known is None:
            return "TP40153"
        if known["wrong_passwords"] >= behaviour(self.world).lock_after:
            return "8006"
        right = name == known["initiator_name"] and self.key.open(credential) == known["initiator_password"]
        if right and known["wrong_passwords"] == 0:
            return None
        known["wrong_passwords"] = 0 if right else known["wrong_passwords"] + 1
        self.documents.put(SHORTCODES, shortcode, known)
        return None if right else "2001"

    def customer_name(self, msisdn: str) -> str:
        known = self.documents.get(CUSTOMERS, msisdn)
        return str((known or {}).get("name") or _NAMES[int(msisdn) % len(_NAMES)])

    def _verdict(self, order: Order, now: datetime) -> str:
        request, amount = order["request"], order["amount"]
        fault = order["send_fault"]
        if fault and fault["action"] == "refuse":
            return str(fault["options"].get("code", "2001"))
        problem = self.initiator_problem(request["PartyA"], request["InitiatorName"], request["SecurityCredential"])
        if problem:
            return problem
        limits, phone = behaviour(self.world), request["PartyB"]
        if amount < limits.minimum:
            return "2"
        if amount > limits.maximum:
            return "3"
        customer = self.documents.get(CUSTOMERS, phone) or {"registered": not phone.startswith(UNREGISTERED_PREFIX)}
        if not customer["registered"]:
            return "2040"
        today = self._received_today(phone, now)
        if today + amount > limits.daily_limit:
            return "4"
        if Money.parse(customer.get("balance", "0"), "KES").minor // 100 + today + amount > limits.maximum_balance:
            return "8"
        shortcode = self.documents.get(SHORTCODES, request["PartyA"])
        if shortcode is None or shortcode["utility"] < (amount + charge_of(amount)) * 100:
            return "1"
        return "0"

    def _received_today(self, phone: str, now: datetime) -> int:
        kept = self.documents.get("daraja.received", phone)
        day = now.astimezone(NAIROBI).date().isoformat()
        return int(kept["amount"]) if kept and kept["day"] == day else 0

    def _book(self, order: Order, now: datetime) -> None:
        request = order["request"]
        phone = request["PartyB"]
        self.documents.put(
            PAYOUTS,
            order["receipt"],
            {
                "reference": order["originator_id"],
                "amount": Money.parse(order["amount"], "KES").amount,
                "currency": "KES",
                "msisdn": phone,
                "shortcode": request["PartyA"],
                "receipt": order["receipt"],
                "at": now.isoformat(),
            },
        )
        day = now.astimezone(NAIROBI).date().isoformat()
        received = self._received_today(phone, now) + order["amount"]
        self.documents.put("daraja.received", phone, {"day": day, "amount": received})


def _keep(fault: Fault | None) -> dict[str, Any] | None:
    return {"action": fault.action, "options": fault.options} if fault else None
