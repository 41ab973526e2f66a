"""Giving a customer's payment back (daraja.md 9). C2B and prompts only: a payout cannot be reversed here. Pure.

There is no caller id. A second try is guarded by M-Pesa itself, which answers R000001 for a payment already reversed.
"""

import re
from dataclasses import dataclass
from typing import Final

from core.errors import InvalidRequest
from core.money import Money
from models.messages.saga.reports import Report, ReportState
from providers.daraja.reading import Parameters, code_of, id_of, is_final, receipt_in, result_of
from providers.daraja.requests import (
    DarajaCredentials,
    callback_urls,
    remarks_of,
    security_credential,
    whole_shillings,
)
from providers.daraja.result_codes import ResultMeaning, meaning_of

REVERSAL_PATH: Final = "/mpesa/reversal/v1/request"

_RECEIPT = re.compile(r"[A-Z0-9]{6,20}")
_OWN_CODES: Final[dict[str, ResultMeaning]] = {
    "R000001": ResultMeaning("the payment was reversed before", moved=True),
    "R000002": ResultMeaning("the payment to reverse does not exist", moved=False),
}


@dataclass(frozen=True, slots=True)
class ReversalOrder:
    """Give `receipt` back to its payer. `reference` is ours and stays with us; `amount` is the whole payment's, since
    nobody official says that a part can be reversed."""

    reference: str
    receipt: str
    amount: Money
    remarks: str
    result_url: str
    timeout_url: str


def reversal_request(order: ReversalOrder, credentials: DarajaCredentials) -> dict[str, str]:
    """The body of a reversal. Raises InvalidRequest, naming the field, for whatever M-Pesa cannot carry."""
    if not _RECEIPT.fullmatch(order.receipt):
        raise InvalidRequest("The receipt must be 6 to 20 capital letters and digits.", field="receipt")
    shillings = whole_shillings(order.amount)
    return {
        "Initiator": credentials.initiator_name,
        "SecurityCredential": security_credential(credentials),
        "CommandID": "TransactionReversal",
        "TransactionID": order.receipt,
        "Amount": shillings,
        "ReceiverParty": credentials.collecting_shortcode,
        "RecieverIdentifierType": "11",  # spelt so
        "Remarks": remarks_of(order.remarks),
        **callback_urls(order.result_url, order.timeout_url),
    }


def parse_reversal_result(body: object) -> Report:
    """A reversal's Result. `paid` means that the payer has the money back: code "0" with the reversal's own receipt, or
    "R000001" without one, where an earlier reversal did it. `amount` and `party_digits` are what went back to whom."""
    result = result_of(body)
    code = code_of(result)
    meaning = _OWN_CODES.get(code) or meaning_of(code)
    found = Parameters(result)
    state: ReportState = "unclear"
    receipt: str | None = None
    if not is_final(result):
        state = "pending"
    elif code == "0":
        receipt = receipt_in(result.text("TransactionID"))
        state = "paid" if receipt else "unclear"
    elif meaning.moved is not None:
        state = "paid" if meaning.moved else "failed"
    return Report(
        source="callback",
        state=state,
        code=code,
        detail="reversed" if code == "0" else meaning.text,
        reference=id_of(result, "OriginatorConversationID"),
        provider_reference=id_of(result, "ConversationID"),
        receipt=receipt,
        amount=found.money("Amount"),
        party_digits=found.phone("CreditPartyPublicName"),
        happened_at=found.moment("TransCompletedTime"),
        retriable=state == "failed" and meaning.retriable,
        operator_needed=meaning.operator_needed,
    )
