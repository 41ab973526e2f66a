"""Prompts to payers (M-Pesa Express, "STK push"): what we send, what the query and the callback say (daraja.md 6). Pure.

There is no idempotency key: a push whose acknowledgement is lost may have prompted the payer and has no id to query by.
"""

import base64
import re
from datetime import datetime
from typing import Final

from core.errors import Garbled, InvalidRequest
from core.texts import clean
from models.messages.saga.reports import Report, ReportState
from providers.collecting import PromptOrder
from providers.daraja.fields import Fields
from providers.daraja.gateway import read_complaint
from providers.daraja.reading import (
    NAIROBI,
    code_of,
    garbled,
    id_of,
    leading_phone,
    metadata_of,
    moment_of,
    money_of,
    receipt_in,
)
from providers.daraja.requests import DarajaCredentials, callback_url, kenyan_digits, whole_shillings
from providers.facts import PLAIN_SIGNS, UNFIT_RECEIPT, carried, unfit_receipt
from providers.ports import Accepted

STK_PATH: Final = "/mpesa/stkpush/v1/processrequest"
STK_QUERY_PATH: Final = "/mpesa/stkpushquery/v1/query"

_PAYER_REFERENCE = re.compile(r"[A-Za-z0-9]{1,12}")
_DESCRIPTION_LENGTH: Final = 13
_IN_FLIGHT: Final = "4999"
# Many meanings, an empty text and a random habit; on a query it is no answer at all (daraja.md 4 and 6).
_NO_ANSWER: Final = "500.001.1001"

# Final codes (daraja.md 6). Any other is unclear: so is 1036, and no complete list is published.
STK_FAILURES: Final[dict[str, str]] = {
    "1": "the payer has too little money",
    "2": "the amount is below the minimum",
    "3": "the amount is above the maximum of one payment",
    "4": "the payer's daily limit would be exceeded",
    "8": "the receiving account's maximum balance would be exceeded",
    "17": "the same amount was asked of the same payer less than two minutes before",
    "1001": "the payer's line is busy with another session",
    "1019": "the prompt expired",
    "1025": "the prompt could not be sent",
    "9999": "the prompt could not be sent",
    "1032": "the payer cancelled",
    "1037": "the payer could not be reached or did not answer",
    "2001": "the payer gave a wrong PIN",
    "2028": "the transaction type does not fit the short code",
    "SFC_IC0003": "the paid party does not exist",
    "8006": "the payer's PIN is locked",
}


def stk_request(order: PromptOrder, credentials: DarajaCredentials, now: datetime) -> dict[str, str]:
    """The body of a push at `now`. Raises InvalidRequest, naming the field, for what M-Pesa cannot carry: code
    "no_passkey" without a passkey, "no_till" for a buy-goods connection without its till."""
    signature = _signature(credentials, now)
    if credentials.stk_type == "CustomerBuyGoodsOnline" and not credentials.stk_party_b:
        raise InvalidRequest("Prompts to buy goods need the till's number.", code="no_till", field="stk_party_b")
    shillings = whole_shillings(order.amount)
    phone = kenyan_digits(order.msisdn)
    if not _PAYER_REFERENCE.fullmatch(order.payer_reference):
        raise InvalidRequest("The payer's reference must be 1 to 12 letters and digits.", field="payer_reference")
    return {
        **signature,
        "TransactionType": credentials.stk_type,
        "Amount": shillings,
        "PartyA": phone,
        "PartyB": credentials.collecting_shortcode,
        "PhoneNumber": phone,
        "CallBackURL": callback_url(order.callback_url, "callback_url"),
        "AccountReference": order.payer_reference,
        "TransactionDesc": carried(order.description, _DESCRIPTION_LENGTH, PLAIN_SIGNS, "payment"),
    }


def stk_query_request(provider_reference: str, credentials: DarajaCredentials, now: datetime) -> dict[str, str]:
    """The body of a query. Raises InvalidRequest: code "nothing_to_ask" without the push's CheckoutRequestID."""
    if not provider_reference.strip():
        raise InvalidRequest("A prompt without an acknowledgement has no id to ask by.", code="nothing_to_ask")
    return {**_signature(credentials, now), "CheckoutRequestID": provider_reference}


def parse_stk_ack(body: object) -> Accepted:
    """Reads a 200. Raises Garbled without ResponseCode "0" and a CheckoutRequestID: that is no refusal."""
    fields = Fields(body)
    code, checkout = fields.text("ResponseCode"), id_of(fields, "CheckoutRequestID")
    if fields.text("errorCode") or code != "0" or not checkout:
        raise Garbled("Daraja answered 200 without a valid acknowledgement.", response_code=clean(code, 20))
    return Accepted(checkout)


def parse_stk_query(body: object, asked: str) -> Report | None:
    """What a query's answer of any status says of the prompt that was `asked` for; None if it is no answer of this protocol
    (an error of another kind, a proxy's page). Still under way, 500.001.1001 in any form, an answer without a verdict and
    one that does not name the prompt are `pending`."""
    complaint = read_complaint(body)
    if complaint.code in (_NO_ANSWER, _IN_FLIGHT):
        return _pending(complaint.code, "M-Pesa has no answer yet")
    if complaint.code or not isinstance(body, dict):
        return None
    fields = Fields(body)
    code = clean(fields.text("ResultCode"), 40)
    checkout = id_of(fields, "CheckoutRequestID")
    if not code or code == _NO_ANSWER:
        if fields and checkout is None and "ResponseCode" not in fields:
            return None
        return _pending(code, "M-Pesa has no answer yet", checkout)
    if checkout is None or checkout.lower() != asked.strip().lower():
        # A verdict on some other prompt, or on none that it names, says nothing of this one.
        return _pending("other_prompt", "M-Pesa's answer does not name this prompt")
    state, detail = _verdict(code)
    return Report(source="query", state=state, code=code, detail=detail, provider_reference=checkout)


def parse_stk_callback(body: object) -> Report:
    """The report on a prompt. A success without a receipt, or with one that cannot be booked (code "unfit_receipt"), is
    `unclear`; `failed` only by a code known to be final.

    `provider_reference` is the CheckoutRequestID, which holds the payer's number: not for logs. Raises Garbled.
    """
    callback = Fields(body).within("Body").within("stkCallback")
    if not callback:
        raise garbled("prompt callback")
    code = code_of(callback, "prompt callback")
    found = metadata_of(callback)
    state, detail = _verdict(code)
    given = found.text("MpesaReceiptNumber")
    receipt = receipt_in(given) if state == "paid" else None
    if state == "paid" and receipt is None:
        state, detail = "unclear", "M-Pesa reports a payment without a receipt"
        if given:
            code, detail = UNFIT_RECEIPT, unfit_receipt(given)
    return Report(
        source="callback",
        state=state,
        code=code,
        detail=detail,
        provider_reference=id_of(callback, "CheckoutRequestID"),
        receipt=receipt,
        amount=money_of(found.get("Amount")),
        party_digits=leading_phone(found.get("PhoneNumber")),
        happened_at=moment_of(found.get("TransactionDate")),
    )


def _pending(code: str, detail: str, checkout: str | None = None) -> Report:
    return Report(source="query", state="pending", code=code, detail=detail, provider_reference=checkout)


def _verdict(code: str) -> tuple[ReportState, str]:
    if code == "0":
        return "paid", "paid"
    if code == _IN_FLIGHT:
        return "pending", "the prompt is still under way"
    if code in STK_FAILURES:
        return "failed", STK_FAILURES[code]
    return "unclear", "a result code without a known final meaning"


def _signature(credentials: DarajaCredentials, now: datetime) -> dict[str, str]:
    """Who asks: base64 of short code, passkey and the very Timestamp that goes beside it, in Nairobi time."""
    if credentials.passkey is None:
        raise InvalidRequest("Prompts need the short code's passkey.", code="no_passkey", field="passkey")
    shortcode = credentials.stk_shortcode or credentials.shortcode
    timestamp = f"{now.astimezone(NAIROBI):%Y%m%d%H%M%S}"
    password = base64.b64encode(f"{shortcode}{credentials.passkey}{timestamp}".encode()).decode()
    return {"BusinessShortCode": shortcode, "Password": password, "Timestamp": timestamp}
