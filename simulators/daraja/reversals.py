"""Payments given back: taken, executed a moment later, reported once (daraja.md 9)."""

import asyncio
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from core.clock import utc_now
from core.money import Money
from simulators.books import COLLECTIONS
from simulators.daraja import envelopes, gateway
from simulators.daraja.bank import Bank
from simulators.daraja.courier import Courier
from simulators.daraja.gateway import Check, callback_url, digits, matches, shillings
from simulators.daraja.identifiers import NAIROBI, conversation_id, originator_id
from simulators.daraja.portal import app_of, behaviour, note_oddities
from simulators.daraja.till import Till
from simulators.faults import Fault
from simulators.world import World

RESULT_ACTIONS: Final = ("lose", "duplicate", "late", "as_strings")

_DIALECT: Final = "404.001.03"
_TEXTS: Final = {
    "R000001": "The transaction has already been reversed.",
    "R000002": "The original transaction is invalid.",
}
_REQUEST: Final[dict[str, Check]] = {
    "Initiator": matches(r".{1,100}"),
    "SecurityCredential": matches(r"[A-Za-z0-9+/]{8,}={0,2}"),
    "CommandID": matches("TransactionReversal"),
    "TransactionID": matches(r"[A-Z0-9]{6,20}"),
    "Amount": shillings,
    "ReceiverParty": digits(r"\d{5,7}"),
    "RecieverIdentifierType": digits("11|[124]"),  # the page says 11, most clients send 4
    "Remarks": matches(r".{2,100}"),
    "QueueTimeOutURL": callback_url,
    "ResultURL": callback_url,
}
_OPTIONAL: Final[dict[str, Check]] = {"Occasion": matches(r".{0,100}"), "Occassion": matches(r".{0,100}")}


class Reversals:
    def __init__(self, world: World, bank: Bank, courier: Courier, till: Till) -> None:
        self.world, self.bank, self.courier, self.till = world, bank, courier, till

    async def take(self, request: Request) -> Response:
        app = app_of(self.world, request, _DIALECT)
        body = await gateway.json_object(request, "Initiator")
        facts = {"reference": str(body.get("TransactionID", "")), "shortcode": str(body.get("ReceiverParty", ""))}
        fault = self.world.faults.next("daraja.reversal.send", **facts)
        if fault and (refused := gateway.refusal(fault, _DIALECT)):
            return refused
        note_oddities(self.world, app, "reversal", gateway.check_fields(body, _REQUEST, _OPTIONAL))
        ids = {"originator_id": originator_id(), "conversation_id": conversation_id(utc_now())}
        result_fault = self.world.faults.next("daraja.reversal.result", **facts)
        self.world.later(self._run(body, ids, fault, result_fault))
        ack = {
            "OriginatorConversationID": ids["originator_id"],
            "ConversationID": ids["conversation_id"],
            "ResponseCode": "0",
            "ResponseDescription": "Accept the service request successfully.",
        }
        return await gateway.instead_of_ack(fault, request, ack)

    async def _run(self, body: dict[str, Any], ids: dict[str, str], sent: Fault | None, fault: Fault | None) -> None:
        await asyncio.sleep(behaviour(self.world).execution_delay_seconds)
        result = self._execute(body, ids, sent)
        action, options = (fault.action, fault.options) if fault else ("", {})
        if action == "lose":
            return
        if action == "late":
            await asyncio.sleep(float(options.get("seconds", 5)))
        for _ in range(int(options.get("times", 2)) if action == "duplicate" else 1):
            told = envelopes.as_strings(result) if action == "as_strings" else result
            await self.courier.post(body["ResultURL"], told)

    def _execute(self, body: dict[str, Any], ids: dict[str, str], sent: Fault | None) -> dict[str, Any]:
        party, asked = body["ReceiverParty"], body["TransactionID"]
        account = self.till.shortcode_of(party)
        if sent and sent.action == "refuse":
            code: str | None = str(sent.options.get("code", "21"))
        else:
            owner = account["shortcode"] if account else party
            code = self.bank.initiator_problem(owner, body["Initiator"], body["SecurityCredential"])
        code = code or self.till.give_back(party, asked, int(body["Amount"]))
        if code != "0":
            result = envelopes.payout_failed(ids, code)
            result["Result"]["ResultDesc"] = _TEXTS.get(code, result["Result"]["ResultDesc"])
            return result
        row = self.bank.documents.get(COLLECTIONS, asked)
        assert row is not None
        assert account is not None
        balance = Money(account["utility"], "KES").amount
        name = self.bank.customer_name(row["msisdn"])
        result = envelopes.payout_failed(ids, "0", self.till.new_receipt())
        result["Result"]["ResultParameters"] = {
            "ResultParameter": [
                {"Key": "DebitAccountBalance", "Value": f"Utility Account|KES|{balance}|{balance}|0.00|0.00"},
                {"Key": "Amount", "Value": envelopes.number(Money.parse(row["amount"], "KES").minor)},
                {"Key": "TransCompletedTime", "Value": int(f"{utc_now().astimezone(NAIROBI):%Y%m%d%H%M%S}")},
                {"Key": "OriginalTransactionID", "Value": asked},
                {"Key": "Charge", "Value": 0},
                {"Key": "CreditPartyPublicName", "Value": f"{row['msisdn']} - {name}"},
                {"Key": "DebitPartyPublicName", "Value": f"{party} - {account['organisation']}"},
            ]
        }
        return result
