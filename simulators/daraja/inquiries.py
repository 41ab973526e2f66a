"""Transaction status and account balance: asynchronous too, and as able to stay silent as a payout (daraja.md 7, 8)."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from simulators.books import COLLECTIONS
from simulators.daraja import envelopes
from simulators.daraja.bank import Order
from simulators.daraja.courier import Courier
from simulators.daraja.identifiers import NAIROBI, originator_id
from simulators.daraja.models import SHORTCODES
from simulators.daraja.portal import behaviour
from simulators.faults import Fault

STATUS_ACTIONS: Final = (
    "lose", "not_found", "pending", "status", "duplicate_keys", "failed_query", "late", "wrong_amount", "as_strings",
)  # fmt: skip
BALANCE_ACTIONS: Final = ("lose", "late", "failed_query", "as_strings")

_STATUS_OF: Final = {"queued": "Authorized", "paid": "Completed", "failed": "Declined", "expired": "Expired"}


async def answer_status(courier: Courier, body: Mapping[str, Any], fault: Fault | None, ack_id: str) -> None:
    """Posts the answer to a status query, unless a fault keeps it. A reference never seen gets 2033 by choice of ours:
    what M-Pesa answers there is documented nowhere; the action `lose` is the other possibility."""
    action, options = (fault.action, fault.options) if fault else ("", {})
    await _wait(courier, action, options)
    if action == "lose":
        return
    bank = courier.bank
    dice = courier.dice(bank.documents.next_number("daraja.answers"))
    shortcode = str(body["PartyA"])
    order = bank.find(shortcode, str(body.get("OriginalConversationID") or body.get("TransactionID")))
    received = _received(courier, shortcode, str(body.get("TransactionID", "")))
    code = bank.initiator_problem(shortcode, body["Initiator"], body["SecurityCredential"])
    if code is None and action == "failed_query":
        code = str(options.get("code", "25"))
    if code is None and ((order is None and received is None) or action == "not_found"):
        code = str(options.get("code", "2033"))
    if code is not None:
        parameters = []
    elif order is not None:
        parameters = _parameters(courier, order, action, options)
    else:
        assert received is not None
        parameters = _of_received(courier, received)
    result = envelopes.inquiry_result(code or "0", parameters, dice, reference=ack_id)
    await courier.post(body["ResultURL"], envelopes.as_strings(result) if action == "as_strings" else result)


def _received(courier: Courier, shortcode: str, receipt: str) -> dict[str, Any] | None:
    """A customer's payment to the short code or its till, by its receipt."""
    row = courier.bank.documents.get(COLLECTIONS, receipt) if receipt else None
    known = courier.bank.documents.get(SHORTCODES, shortcode) or {}
    return row if row and row["shortcode"] in (shortcode, known.get("till")) else None


def _of_received(courier: Courier, row: dict[str, Any]) -> list[dict[str, Any]]:
    known = courier.bank.documents.get(SHORTCODES, row["shortcode"]) or {}
    at = f"{datetime.fromisoformat(row['at']).astimezone(NAIROBI):%Y%m%d%H%M%S}"
    return [
        {"Key": "DebitPartyName", "Value": f"{row['msisdn']} - {courier.bank.customer_name(row['msisdn'])}"},
        {"Key": "CreditPartyName", "Value": f"{row['shortcode']} - {known.get('organisation', '')}"},
        {"Key": "InitiatedTime", "Value": at},
        {"Key": "FinalisedTime", "Value": at},
        {"Key": "TransactionReason"},
        {"Key": "ReasonType", "Value": "Pay Bill Online" if row["channel"] == "paybill" else "Pay Merchant"},
        {"Key": "TransactionStatus", "Value": "Completed"},
        {"Key": "Amount", "Value": row["amount"]},
        {"Key": "ReceiptNo", "Value": row["receipt"]},
    ]


async def answer_balance(courier: Courier, body: Mapping[str, Any], fault: Fault | None, ack_id: str) -> None:
    action, options = (fault.action, fault.options) if fault else ("", {})
    await _wait(courier, action, options)
    if action == "lose":
        return
    bank, shortcode = courier.bank, str(body["PartyA"])
    dice = courier.dice(bank.documents.next_number("daraja.answers"))
    code = bank.initiator_problem(shortcode, body["Initiator"], body["SecurityCredential"])
    if code is None and action == "failed_query":
        code = str(options.get("code", "17"))
    known = bank.documents.get(SHORTCODES, shortcode)
    parameters = envelopes.balance_parameters(known) if code is None and known else []
    result = envelopes.inquiry_result(code or "0", parameters, dice, reference=ack_id)
    # In Safaricom's own sample of this answer the type and the code are texts (daraja.md 8).
    result["Result"] |= {"ResultType": "0", "ResultCode": code or "0"}
    await courier.post(body["ResultURL"], result)


def acknowledgement_id(courier: Courier, body: Mapping[str, Any]) -> str:
    """A fresh id, or the one asked about, as `status_ack_echoes_reference` says."""
    asked = body.get("OriginalConversationID")
    return str(asked) if asked and behaviour(courier.world).status_ack_echoes_reference else originator_id()


def _parameters(courier: Courier, order: Order, action: str, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    status = _STATUS_OF[order["state"]]
    if action in ("pending", "status"):
        status = str(options.get("status", "Pending Authorized"))
    if action == "wrong_amount":
        order = {**order, "amount": order["amount"] + int(options.get("by", 1))}
    request = order["request"]
    known = courier.bank.documents.get(SHORTCODES, request["PartyA"]) or {}
    return envelopes.status_parameters(
        order,
        status,
        courier.bank.customer_name(request["PartyB"]),
        str(known.get("organisation", "")),
        courier.dice(order["number"]),
        duplicate_keys=action == "duplicate_keys",
    )


async def _wait(courier: Courier, action: str, options: Mapping[str, Any]) -> None:
    await asyncio.sleep(behaviour(courier.world).answer_delay_seconds)
    if action == "late":
        await asyncio.sleep(float(options.get("seconds", 5)))
