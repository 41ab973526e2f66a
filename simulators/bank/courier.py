"""Pushes: NCBA's once and never again, the reference bank's until a 2xx or the end of its patience (bank_ncba.md 2, 6)."""

import asyncio
import json
from collections import Counter
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

import httpx

from core.clock import utc_now
from core.money import Money
from providers.ncba.wire import HASHED_FIELDS, push_hash
from providers.reference_bank.wire import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from simulators.bank.ledger import NAIROBI, Movement, behaviour
from simulators.bank.models import DELIVERIES, SUBSCRIPTIONS
from simulators.world import World

PUSH_ACTIONS: Final = ("lose", "double", "late", "wrong_hash", "shuffle")

_RETRY_SECONDS: Final = (5, 30, 300, 3_600, 21_600)

Delivery = dict[str, Any]


class Courier:
    def __init__(self, world: World) -> None:
        self.world = world
        self._posted: Counter[str] = Counter()

    def resume(self) -> None:
        """Takes up what was not delivered when the simulator stopped."""
        for delivery in self.world.documents.all(DELIVERIES):
            if delivery["state"] == "due":
                self.world.later(self._run(delivery))

    def announce(self, movement: Movement) -> None:
        """Tells the holders of both accounts, in the dialects that they subscribed."""
        for side, direction in (("from", "debited"), ("to", "credited")):
            for dialect in ("ncba", "reference"):
                made = _ncba_fields if dialect == "ncba" else _reference_data
                self._queue(
                    movement[side], dialect, f"account.{direction}", made(movement, direction), movement["reference"]
                )

    def tell_result(self, order: dict[str, Any], kind: str) -> None:
        """An outcome of an instruction ("transfer.settled"); the reference bank alone tells these."""
        amount = Money(order["minor"], order["currency"])
        data = {
            "client_reference": order["reference"],
            "bank_reference": order["bank_reference"],
            "bank_transaction_id": order["transaction_id"] if order["state"] != "REJECTED" else None,
            "account": order["source"],
            "amount": amount.amount,
            "currency": amount.currency,
            "reason": order["reason"],
        }
        self._queue(order["source"], "reference", kind, data, order["reference"])

    def _queue(self, account: str, dialect: str, kind: str, content: dict[str, Any], reference: str | None) -> None:
        documents = self.world.documents
        subscription = documents.get(SUBSCRIPTIONS, f"{account}:{dialect}")
        if subscription is None:
            return
        facts = {"account": account, "dialect": dialect, "type": kind, "reference": reference or ""}
        fault = self.world.faults.next("bank.push", **facts)
        event_id = f"evt_{documents.next_number('bank.events'):08d}"
        if dialect == "reference":
            content = {"event_id": event_id, "type": kind, "occurred_at": utc_now().isoformat(), "data": content}
        delivery = {
            "event_id": event_id,
            "account": account,
            "dialect": dialect,
            "type": kind,
            "content": content,
            "state": "due",
            "attempts": 0,
            "action": fault.action if fault else "",
            "options": fault.options if fault else {},
        }
        documents.put(DELIVERIES, event_id, delivery)
        self.world.later(self._run(delivery))

    async def _run(self, delivery: Delivery) -> None:
        action, options = delivery["action"], delivery["options"]
        match action:
            case "lose":
                self._end(delivery, "lost")
                return
            case "late":
                await asyncio.sleep(float(options.get("seconds", 2)))
            case "shuffle":
                await self._let_another_pass(delivery["account"], float(options.get("seconds", 1)))
        taken = await self._post(delivery, wrong=action == "wrong_hash")
        if delivery["dialect"] == "reference":
            scale = behaviour(self.world).retry_scale
            for pause in _RETRY_SECONDS:
                if taken:
                    break
                await asyncio.sleep(pause * scale)
                taken = await self._post(delivery)
        if action == "double":
            await self._post(delivery)
        self._end(delivery, "done" if taken else "given up")

    async def _let_another_pass(self, account: str, seconds: float) -> None:
        """Until another push of the account was posted, so that the two change places; or for so long."""
        before, end = self._posted[account], asyncio.get_running_loop().time() + seconds
        while self._posted[account] == before and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def _post(self, delivery: Delivery, *, wrong: bool = False) -> bool:
        """One attempt: was it answered with a 2xx?"""
        subscription = self.world.documents.get(SUBSCRIPTIONS, f"{delivery['account']}:{delivery['dialect']}")
        if subscription is None:
            return False
        delivery["attempts"] += 1
        secret = subscription["secret"] + ("-of-somebody-else" if wrong else "")
        if delivery["dialect"] == "ncba":
            body = ncba_envelope(delivery["content"], subscription["user"], subscription["password"], secret)
            headers = {"content-type": "text/xml; charset=utf-8"}
        else:
            body, timestamp = json.dumps(delivery["content"]).encode(), str(int(utc_now().timestamp()))
            headers = {
                "content-type": "application/json",
                TIMESTAMP_HEADER: timestamp,
                SIGNATURE_HEADER: sign(secret, timestamp, body),
            }
        try:
            answer = await self.world.http.post(subscription["url"], content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        finally:
            self._posted[delivery["account"]] += 1
        return answer.is_success

    def _end(self, delivery: Delivery, state: str) -> None:
        delivery["state"] = state
        self.world.documents.put(DELIVERIES, delivery["event_id"], delivery)


def ncba_envelope(fields: dict[str, str], user: str, password: str, secret: str) -> bytes:
    """The account push of bank_ncba.md 2."""
    shown = {"User": user, "Password": password, "HashVal": push_hash(secret, fields)}
    shown |= {name: fields.get(name, "") for name in (*HASHED_FIELDS, "FtCrNarration")}
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in shown.items())
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>'
        f"<NCBAPaymentNotificationRequest>{inner}</NCBAPaymentNotificationRequest></soapenv:Body></soapenv:Envelope>"
    ).encode()


def _ncba_fields(movement: Movement, direction: str) -> dict[str, str]:
    amount = Money(movement["minor"], movement["currency"]).amount
    debit = direction == "debited"
    return {
        "TransType": "DR-TRF" if debit else "CR-TRF",
        "TransID": movement["bank_transaction_id"],
        "TransTime": f"{datetime.fromisoformat(movement['at']).astimezone(NAIROBI):%y%m%d%H%M}",
        "TransAmount": f"-{amount}" if debit else amount,
        "AccountNr": movement["from" if debit else "to"],
        "Narrative": movement["narration"],
        "PhoneNr": "" if debit else movement["phone"],
        "CustomerName": movement["name"],
        "Status": "SUCCESS",
        "FtCrNarration": movement["narration"],
    }


def _reference_data(movement: Movement, direction: str) -> dict[str, Any]:
    data = {
        "bank_transaction_id": movement["bank_transaction_id"],
        "account": movement["from" if direction == "debited" else "to"],
        "amount": Money(movement["minor"], movement["currency"]).amount,
        "currency": movement["currency"],
        "reference": movement["narration"],
    }
    if direction == "credited":
        return data | {"payer_name": movement["name"], "payer_phone": movement["phone"] or None}
    return data | {"client_reference": movement["reference"], "bank_reference": movement["bank_reference"]}
