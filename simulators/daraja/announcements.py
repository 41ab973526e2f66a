"""Payments by paybill and how they are announced: validation, then confirmation, each tried once (daraja.md 5)."""

import asyncio
import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from core.clock import utc_now
from core.crypto import sha256_hex
from core.money import Money
from simulators.daraja.bank import Bank
from simulators.daraja.courier import Courier
from simulators.daraja.identifiers import NAIROBI
from simulators.daraja.models import C2B_URLS
from simulators.daraja.portal import behaviour
from simulators.daraja.till import Row, Till
from simulators.world import World

CONFIRMATION_ACTIONS: Final = ("lose", "duplicate", "late", "wrong_amount")
VALIDATION_ACTIONS: Final = ("skip",)


@dataclass(frozen=True, slots=True)
class Decision:
    """`by` is "validation" (the answer of the registered address), "response_type" (it did not answer in time) or
    "nobody" (validation is off or not registered). `code` is "0" or the refusal's."""

    accepted: bool
    by: str
    code: str = "0"
    third_party_id: str = ""


class Announcements:
    def __init__(self, world: World, bank: Bank, courier: Courier, till: Till) -> None:
        self.world, self.bank, self.courier, self.till = world, bank, courier, till

    async def pay(self, party: str, msisdn: str, shillings: int, reference: str) -> dict[str, Any]:
        """A customer's own payment, from validation to the books. The confirmation follows a moment later."""
        # The receipt is M-Pesa's id from the start: the validation carries it, a refused payment leaves a gap.
        payment = {
            "receipt": self.till.new_receipt(),
            "amount": Money.parse(shillings, "KES").amount,
            "msisdn": msisdn,
            "shortcode": party,
            "reference": reference,
            "channel": "paybill",
            "at": utc_now().isoformat(),
        }
        decision = await self._validate(payment)
        row = None
        if decision.accepted:
            row = self.till.receive(
                party=party, msisdn=msisdn, shillings=shillings, reference=reference, channel="paybill",
                receipt=payment["receipt"], at=payment["at"],
            )  # fmt: skip
        if row is not None:
            self.announce(row, decision.third_party_id)
        return {
            "accepted": row is not None,
            "decided_by": decision.by,
            "code": decision.code,
            "receipt": row["receipt"] if row else None,
        }

    def announce(self, row: Row, third_party_id: str = "") -> None:
        """Sends the confirmation a moment later, if the short code has registered an address for it."""
        urls = self.world.documents.get(C2B_URLS, row["shortcode"])
        if urls:
            self.world.later(self._confirm(dict(row), urls, self.till.balance(row["shortcode"]), third_party_id))

    async def _confirm(self, row: Row, urls: dict[str, Any], balance: str, third_party_id: str) -> None:
        fault = self.world.faults.next("daraja.c2b.confirmation", **_facts(row))
        action, options = (fault.action, fault.options) if fault else ("", {})
        await asyncio.sleep(behaviour(self.world).answer_delay_seconds)
        if action == "lose":
            return
        if action == "late":
            await asyncio.sleep(float(options.get("seconds", 5)))
        if action == "wrong_amount":
            row["amount"] = (Money.parse(row["amount"], "KES") + Money(int(options.get("by", 1)) * 100, "KES")).amount
        body = self._body(row, urls["version"], balance, third_party_id)
        for _ in range(int(options.get("times", 2)) if action == "duplicate" else 1):
            await self.courier.post(urls["confirmation"], body)

    async def _validate(self, payment: Row) -> Decision:
        urls, rules = self.world.documents.get(C2B_URLS, payment["shortcode"]), behaviour(self.world)
        fault = self.world.faults.next("daraja.c2b.validation", **_facts(payment))
        if not urls or not rules.c2b_validation or (fault and fault.action == "skip"):
            return Decision(True, "nobody")
        body = self._body(payment, urls["version"], "", "")
        try:
            async with asyncio.timeout(rules.c2b_validation_seconds):
                answer = await self.world.http.post(urls["validation"], json=body, timeout=None)
            said = answer.json() if answer.status_code == 200 else None
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError):
            said = None
        if not isinstance(said, dict) or "ResultCode" not in said:
            accepted = urls["response_type"] == "Completed"
            return Decision(accepted, "response_type", "0" if accepted else "C2B00016")
        code = str(said["ResultCode"])
        if code.strip("0"):
            return Decision(False, "validation", code)
        return Decision(True, "validation", third_party_id=str(said.get("ThirdPartyTransID") or ""))

    def _body(self, row: Row, version: str, balance: str, third_party_id: str) -> dict[str, str]:
        dice = random.Random(f"c2b:{self.world.faults.seed}:{row['receipt']}")
        known = self.till.shortcode_of(row["shortcode"]) or {}
        names = self.bank.customer_name(row["msisdn"]).split(" ", 2)
        # v2 hides most of the name too (daraja.md 5).
        first, middle, last = [*names, "", ""][:3] if version == "v1" else [names[0], "", ""]
        moment = datetime.fromisoformat(row["at"]).astimezone(NAIROBI)
        return {
            "TransactionType": "Buy Goods" if known.get("till") == row["shortcode"] else "Pay Bill",
            "TransID": row["receipt"],
            "TransTime": f"{moment:%Y%m%d%H%M%S}",
            "TransAmount": dice.choice([row["amount"], row["amount"].removesuffix(".00")]),
            "BusinessShortCode": row["shortcode"],
            "BillRefNumber": row["reference"],
            "InvoiceNumber": "",
            "OrgAccountBalance": balance,
            "ThirdPartyTransID": third_party_id,
            "MSISDN": self._phone(row["msisdn"], version),
            "FirstName": first,
            "MiddleName": middle,
            "LastName": last,
        }

    def _phone(self, msisdn: str, version: str) -> str:
        style = behaviour(self.world).c2b_msisdn
        if style == "by_version":
            style = "hashed" if version == "v1" else "masked"
        match style:
            case "hashed":
                return sha256_hex(msisdn)
            case "masked":
                return f"{msisdn[:4]} ***** {msisdn[-3:]}"
        return msisdn


def _facts(row: Row) -> dict[str, str]:
    return {
        "msisdn": row["msisdn"],
        "amount": row["amount"].removesuffix(".00"),
        "reference": row["reference"],
        "shortcode": row["shortcode"],
        "channel": row["channel"],
    }
