"""The bodies of callbacks, shaped as daraja.md 3.4 to 3.6, 7 and 8 print them; parameters in any order."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from core.clock import utc_now
from core.money import Money
from simulators.daraja.bank import Order
from simulators.daraja.identifiers import NAIROBI, conversation_id, originator_id, placeholder

OK: Final = "The service request is processed successfully."
DESCRIPTIONS: Final = {
    "0": OK,
    "1": "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "4": "Declined due to limit rule: would exceed the daily transfer limit.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "11": "The DebitParty is in an invalid state.",
    "15": "Duplicate detected.",
    "17": "System internal error.",
    "21": "The initiator is not allowed to initiate this request.",
    "2001": "The initiator information is invalid.",
    "2033": "The transaction receipt number does not exist.",
    "2040": "Credit Party customer type (Unregistered or Registered Customer) can't be supported by the service.",
    "8006": "The security credential is locked.",
    "SFC_IC0003": "The operator does not exist.",
}
_QUEUE_URL: Final = "https://internalapi.safaricom.co.ke/mpesa/b2cresults/v1/submit"
_REFERENCE_DATA: Final = {"ReferenceItem": {"Key": "QueueTimeoutURL", "Value": _QUEUE_URL}}


def result_code(code: str) -> int | str:
    """A JSON number where it can be one: fact 9 says that they are mixed."""
    return int(code) if code.isdigit() else code


def number(minor: int) -> int | float:
    """KES cents as the JSON number that M-Pesa sends; the one place where its floats are made."""
    return minor // 100 if minor % 100 == 0 else minor / 100


def payout_failed(order: Order, code: str, transaction_id: str | None = None) -> dict[str, Any]:
    """No parameters, and yet a TransactionID."""
    return {
        "Result": {
            "ResultType": 0,
            "ResultCode": result_code(code),
            "ResultDesc": DESCRIPTIONS.get(code, "The service request failed."),
            "OriginatorConversationID": order["originator_id"],
            "ConversationID": order["conversation_id"],
            "TransactionID": placeholder(utc_now()) if transaction_id is None else transaction_id,
            "ReferenceData": _REFERENCE_DATA,
        }
    }


def payout_paid(order: Order, name: str, dice: random.Random) -> dict[str, Any]:
    at = datetime.fromisoformat(order["executed_at"] or utc_now().isoformat()).astimezone(NAIROBI)
    funds = order["funds"]
    parameters = [
        {"Key": "TransactionAmount", "Value": order["amount"]},
        {"Key": "TransactionReceipt", "Value": order["receipt"]},
        {"Key": "ReceiverPartyPublicName", "Value": f"{order['request']['PartyB']} - {name}"},
        {"Key": "TransactionCompletedDateTime", "Value": at.strftime("%d.%m.%Y %H:%M:%S")},
        {"Key": "B2CUtilityAccountAvailableFunds", "Value": number(funds.get("utility", 0))},
        {"Key": "B2CWorkingAccountAvailableFunds", "Value": number(funds.get("working", 0))},
        {"Key": "B2CRecipientIsRegisteredCustomer", "Value": "Y"},
        {"Key": "B2CChargesPaidAccountAvailableFunds", "Value": number(funds.get("charges", 0))},
    ]
    dice.shuffle(parameters)
    body = payout_failed(order, "0", order["receipt"])
    body["Result"]["ResultParameters"] = {"ResultParameter": parameters}
    return body


def as_strings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same body with every number as text."""

    def text(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: text(item) for key, item in value.items()}
        if isinstance(value, list):
            return [text(item) for item in value]
        return str(value) if isinstance(value, int | float) else value

    return {key: text(value) for key, value in body.items()}


def timeout_notice(order: Order, shape: str) -> dict[str, Any]:
    """The request echoed flat, credential and all, or the Result envelope that one source models (daraja.md 3.6)."""
    if shape == "result":
        body = payout_failed(order, "1", "")
        body["Result"] |= {"ResultType": 1, "ResultDesc": "The request timed out in the queue."}
        return body
    return {**order["request"], "Amount": order["amount"]}


def inquiry_result(
    code: str, parameters: list[dict[str, Any]], dice: random.Random, *, reference: str | None = None
) -> dict[str, Any]:
    """The envelope of a status or balance answer; its ids are the query's own."""
    shuffled = list(parameters)
    dice.shuffle(shuffled)
    now = utc_now()
    result: dict[str, Any] = {
        "ResultType": 0,
        "ResultCode": result_code(code),
        "ResultDesc": DESCRIPTIONS.get(code, "The service request failed."),
        "OriginatorConversationID": reference or originator_id(),
        "ConversationID": conversation_id(now),
        "TransactionID": placeholder(now),
        "ReferenceData": {"ReferenceItem": {"Key": "Occasion"}},
    }
    if len(shuffled) == 1:
        result["ResultParameters"] = {"ResultParameter": shuffled[0]}
    elif shuffled:
        result["ResultParameters"] = {"ResultParameter": shuffled}
    return {"Result": result}


def status_parameters(
    order: Order, status: str, name: str, organisation: str, dice: random.Random, *, duplicate_keys: bool
) -> list[dict[str, Any]]:
    """What is known of an order. With `duplicate_keys` the credit party is a second DebitPartyName (daraja.md 7)."""
    zone_less = "%Y%m%d%H%M%S"
    taken = datetime.fromisoformat(order["taken_at"]).astimezone(NAIROBI).strftime(zone_less)
    shortcode, phone = order["request"]["PartyA"], order["request"]["PartyB"]
    parameters: list[dict[str, Any]] = [
        {"Key": "DebitPartyName", "Value": f"{shortcode} - {organisation}"},
        {"Key": "DebitPartyName" if duplicate_keys else "CreditPartyName", "Value": f"{phone} - {name}"},
        {"Key": "OriginatorConversationID", "Value": order["originator_id"]},
        {"Key": "ConversationID", "Value": order["conversation_id"]},
        {"Key": "InitiatedTime", "Value": dice.choice([taken, int(taken)])},
        {"Key": "DebitAccountType", "Value": "Utility Account"},
        {"Key": "TransactionReason"},
        {"Key": "ReasonType", "Value": "Business Payment to Customer via API"},
        {"Key": "TransactionStatus", "Value": status},
        {"Key": "Amount", "Value": dice.choice([order["amount"], str(order["amount"])])},
    ]
    if status == "Completed":
        ended = datetime.fromisoformat(order["executed_at"] or order["taken_at"]).astimezone(NAIROBI)
        text = ended.strftime(zone_less)
        parameters += [
            {"Key": "FinalisedTime", "Value": dice.choice([text, int(text)])},
            {"Key": "ReceiptNo", "Value": order["receipt"]},
            {"Key": "DebitPartyCharges", "Value": f"Fee For B2C Payment|KES|{order['charge']}.00"},
        ]
    else:
        parameters += [{"Key": "FinalisedTime"}, {"Key": "ReceiptNo", "Value": ""}]
    return parameters


def balance_parameters(shortcode: Mapping[str, Any]) -> list[dict[str, Any]]:
    """name | currency | current | available | reserved | uncleared, joined by & (daraja.md 8)."""
    accounts = (("Working Account", "working"), ("Utility Account", "utility"), ("Charges Paid Account", "charges"))
    lines = []
    for title, key in accounts:
        amount = Money(shortcode[key], "KES").amount
        lines.append(f"{title}|KES|{amount}|{amount}|0.00|0.00")
    at = utc_now().astimezone(NAIROBI).strftime("%Y%m%d%H%M%S")
    return [{"Key": "AccountBalance", "Value": "&".join(lines)}, {"Key": "BOCompletedTime", "Value": int(at)}]
