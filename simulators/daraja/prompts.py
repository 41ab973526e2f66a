"""Prompts to payers: asked, answered by a simulated person, reported once (daraja.md 6)."""

import asyncio
import base64
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from core.clock import utc_now
from simulators.daraja import envelopes
from simulators.daraja.announcements import Announcements
from simulators.daraja.courier import Courier, broken_address
from simulators.daraja.identifiers import NAIROBI, checkout_id, merchant_request_id
from simulators.daraja.models import LAST_PROMPTS, PAYERS, PROMPTS
from simulators.daraja.portal import behaviour
from simulators.daraja.till import Till
from simulators.faults import Fault
from simulators.world import World

Prompt = dict[str, Any]

CALLBACK_ACTIONS: Final = (
    "lose", "duplicate", "early", "late", "forged", "forged_url", "wrong_amount", "as_strings", "contradict_after",
    "contradict_before",
)  # fmt: skip

_CODE_OF: Final = {
    "pay": "0", "slow": "0", "cancel": "1032", "wrong_pin": "2001", "no_funds": "1", "no_answer": "1037",
    "locked": "1001", "expire": "1019",
}  # fmt: skip
_TEXTS: Final = {
    "0": envelopes.OK,
    "1": "The balance is insufficient for the transaction.",
    "17": "System internal error.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current subscriber.",
    "1019": "Transaction has expired.",
    "1032": "Request cancelled by user.",
    "1037": "No response from user.",
    "2001": "The initiator information is invalid.",
}


class Prompts:
    """A prompt is `prompted`, then `paid` or `failed`; each is kept in the documents."""

    def __init__(self, world: World, courier: Courier, till: Till, announcements: Announcements) -> None:
        self.world, self.courier, self.till, self.announcements = world, courier, till, announcements
        self.documents = world.documents
        self._resumed = False

    def resume(self) -> None:
        """Takes up, once per process, what waited for a payer or a delivery when the simulator stopped."""
        if self._resumed:
            return
        self._resumed = True
        for prompt in self.documents.all(PROMPTS):
            if prompt["callback"] == "due":
                self.world.later(self.run(prompt))

    def find(self, checkout: str) -> Prompt | None:
        return self.documents.get(PROMPTS, checkout)

    def is_signed(self, request: Mapping[str, Any]) -> bool:
        """Is the Password made of this short code, its passkey and the Timestamp beside it?"""
        known = self.till.shortcode_of(str(request["BusinessShortCode"]))
        if known is None or not known.get("passkey"):
            return False
        plain = f"{request['BusinessShortCode']}{known['passkey']}{request['Timestamp']}"
        return bool(request["Password"] == base64.b64encode(plain.encode()).decode())

    def take(self, request: dict[str, Any], sent: Fault | None, callback: Fault | None) -> Prompt:
        now = utc_now()
        amount, phone = int(request["Amount"]), str(request["PhoneNumber"])
        code, seconds = self._plan(request, amount, phone, sent, now)
        number = self.documents.next_number("daraja.prompts")
        prompt: Prompt = {
            "merchant_request_id": merchant_request_id(),
            "checkout_id": checkout_id(now, number, phone),
            "number": number,
            "request": {name: value for name, value in request.items() if name != "Password"},
            "amount": amount,
            "msisdn": phone,
            "state": "prompted",
            "code": None,
            "receipt": None,
            "plan": code,
            "seconds": seconds,
            "asked_at": now.isoformat(),
            "ended_at": None,
            "callback": "due",
            "callback_fault": {"action": callback.action, "options": callback.options} if callback else None,
        }
        if code != "17":
            self.documents.put(LAST_PROMPTS, f"{phone}:{amount}", {"checkout_id": prompt["checkout_id"]})
        return self.documents.put(PROMPTS, prompt["checkout_id"], prompt)

    async def run(self, prompt: Prompt) -> None:
        await asyncio.sleep(prompt["seconds"])
        self.settle(prompt)
        await self.deliver(prompt)

    def settle(self, prompt: Prompt) -> None:
        """The payer decides, once. A payment is confirmed to the registered address too: two messages, one payment."""
        if prompt["state"] != "prompted":
            return
        code = prompt["plan"]
        if code == "0":
            receipt, at = self.till.new_receipt(), utc_now().isoformat()
            row = self.till.receive(
                party=str(prompt["request"]["PartyB"]), msisdn=prompt["msisdn"], shillings=prompt["amount"],
                reference=str(prompt["request"]["AccountReference"]), channel="stk", receipt=receipt, at=at,
            )  # fmt: skip
            if row is None:
                code = "SFC_IC0003"
            else:
                prompt["receipt"] = receipt
                self.announcements.announce(row)
        prompt |= {"state": "paid" if code == "0" else "failed", "code": code, "ended_at": utc_now().isoformat()}
        self.documents.put(PROMPTS, prompt["checkout_id"], prompt)

    async def deliver(self, prompt: Prompt) -> None:
        """Posts the callback. It counts as delivered from the first post on, whatever comes back."""
        fault = prompt["callback_fault"] or {"action": "", "options": {}}
        action, options = fault["action"], fault["options"]
        pause = float(options.get("seconds", 0.3))
        if action == "late":
            await asyncio.sleep(float(options.get("seconds", 5)))
        if prompt["callback"] != "due":
            return
        prompt["callback"] = "done"
        self.documents.put(PROMPTS, prompt["checkout_id"], prompt)
        true, failure = self._body(prompt), self._failure(prompt, str(options.get("code", "1037")))
        bodies: list[Any] = [true]
        match action:
            case "lose":
                return
            case "duplicate":
                bodies = [true] * int(options.get("times", 2))
            case "wrong_amount":
                bodies = [self._body({**prompt, "amount": prompt["amount"] + int(options.get("by", 1))})]
            case "as_strings":
                bodies = [envelopes.as_strings(true)]
            case "contradict_after":
                bodies = [true, failure]
            case "contradict_before":
                bodies = [failure, true]
            case "forged":
                bodies = [self._forged(prompt, options), true]
            case "forged_url":
                url = broken_address(prompt["request"]["CallBackURL"])
                await self.courier.post(url, self._forged(prompt, options))
        for index, body in enumerate(bodies):
            if index:
                await asyncio.sleep(0 if action == "duplicate" else pause)
            await self.courier.post(prompt["request"]["CallBackURL"], body)

    def answer(self, prompt: Prompt, code: str) -> dict[str, str]:
        """A query's answer with a verdict; the code is text here, and 1037 has another wording (daraja.md 6)."""
        text = "DS timeout user cannot be reached." if code == "1037" else _text(code)
        return {
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successfully",
            "MerchantRequestID": prompt["merchant_request_id"],
            "CheckoutRequestID": prompt["checkout_id"],
            "ResultCode": code,
            "ResultDesc": "The transaction is still under processing" if code == "4999" else text,
        }

    def _plan(
        self, request: Mapping[str, Any], amount: int, phone: str, sent: Fault | None, now: datetime
    ) -> tuple[str, float]:
        """The result code to come, and after how many seconds."""
        rules = behaviour(self.world)
        if code := self._refusal(request, amount, phone, sent, now):
            return code, rules.execution_delay_seconds
        if not self.till.is_customer(phone):
            return "1037", rules.stk_prompt_seconds
        payer = self.documents.get(PAYERS, phone) or {"does": "pay", "after_seconds": None, "times": None}
        if payer["times"] is not None:
            payer = self.documents.put(PAYERS, phone, {**payer, "times": payer["times"] - 1})
            if payer["times"] < 0:
                payer = {"does": "pay", "after_seconds": None}
        usual = {
            "slow": rules.stk_prompt_seconds * 0.8,
            "no_answer": rules.stk_prompt_seconds,
            "expire": rules.stk_prompt_seconds,
            "locked": rules.execution_delay_seconds,
        }.get(payer["does"], rules.stk_payer_seconds)
        seconds = usual if payer["after_seconds"] is None else payer["after_seconds"]
        code = _CODE_OF[payer["does"]]
        if code == "0" and seconds > rules.stk_prompt_seconds:
            return "1037", rules.stk_prompt_seconds  # the prompt is gone before the payer looks at it
        return code, seconds

    def _refusal(
        self, request: Mapping[str, Any], amount: int, phone: str, sent: Fault | None, now: datetime
    ) -> str | None:
        rules = behaviour(self.world)
        if sent and sent.action == "refuse":
            return str(sent.options.get("code", "1025"))
        party, asker = str(request["PartyB"]), str(request["BusinessShortCode"])
        known = self.till.shortcode_of(party)
        if known is None or known["shortcode"] != asker:
            return "SFC_IC0003"
        if (request["TransactionType"] == "CustomerBuyGoodsOnline") != (known.get("till") == party):
            return "2028"
        if amount < rules.stk_minimum:
            return "2"
        if amount > rules.stk_maximum:
            return "3"
        return "17" if self._is_repeat(phone, amount, now) else None

    def _is_repeat(self, phone: str, amount: int, now: datetime) -> bool:
        kept = self.documents.get(LAST_PROMPTS, f"{phone}:{amount}")
        earlier = self.find(kept["checkout_id"]) if kept else None
        if earlier is None or earlier["state"] == "failed":
            return False
        since = now - timedelta(seconds=behaviour(self.world).stk_repeat_seconds)
        return datetime.fromisoformat(earlier["asked_at"]) > since

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        """The true report; items in any order, Balance without a Value, and none at all beside a failure."""
        body = self._failure(prompt, prompt["code"])
        if prompt["code"] == "0":
            at = datetime.fromisoformat(prompt["ended_at"]).astimezone(NAIROBI)
            items: list[dict[str, Any]] = [
                {"Name": "Amount", "Value": envelopes.number(prompt["amount"] * 100)},
                {"Name": "MpesaReceiptNumber", "Value": prompt["receipt"]},
                {"Name": "Balance"},
                {"Name": "TransactionDate", "Value": int(f"{at:%Y%m%d%H%M%S}")},
                {"Name": "PhoneNumber", "Value": int(prompt["msisdn"])},
            ]
            random.Random(f"stk:{self.world.faults.seed}:{prompt['number']}").shuffle(items)
            body["Body"]["stkCallback"]["CallbackMetadata"] = {"Item": items}
        return body

    def _failure(self, prompt: Prompt, code: str) -> dict[str, Any]:
        callback = {
            "MerchantRequestID": prompt["merchant_request_id"],
            "CheckoutRequestID": prompt["checkout_id"],
            "ResultCode": envelopes.result_code(code),
            "ResultDesc": _text(code),
        }
        return {"Body": {"stkCallback": callback}}

    def _forged(self, prompt: Prompt, options: Mapping[str, Any]) -> dict[str, Any]:
        """An invented success. `known_ids` lets the forger know the prompt's own ids, `amount` its amount."""
        now = utc_now()
        invented = {
            **prompt,
            "code": "0",
            "receipt": str(options.get("receipt") or self.till.new_receipt()),
            "amount": int(options.get("amount", prompt["amount"] + 1_000)),
            "ended_at": now.isoformat(),
        }
        if not options.get("known_ids", False):
            invented |= {
                "merchant_request_id": merchant_request_id(),
                "checkout_id": checkout_id(now, 999, prompt["msisdn"]),
            }
        return self._body(invented)


def _text(code: str) -> str:
    return _TEXTS.get(code) or envelopes.DESCRIPTIONS.get(code, "The service request failed.")
