"""Payments that customers make by themselves to a paybill or a till (C2B): registration, announcements and our replies
(daraja.md 5). Pure.

The same payment is announced by a confirmation, by the callback of a prompt and by the pull: its receipt is its id.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from core.clock import utc_now
from core.errors import Garbled, InvalidRequest
from core.texts import clean
from providers.collecting import PaymentSeen
from providers.daraja.fields import Fields
from providers.daraja.gateway import read_complaint
from providers.daraja.reading import clear_phone, garbled, moment_of, money_of, receipt_in
from providers.daraja.requests import DarajaCredentials, callback_url
from providers.facts import NAME_LENGTH, REFERENCE_LENGTH, UNFIT_RECEIPT, unfit_receipt

C2B_REGISTER_PATH: Final = "/mpesa/c2b/v2/registerurl"
ResponseType = Literal["Completed", "Cancelled"]

# The reply to a confirmation. Nothing that we answer can undo the payment.
C2B_CONFIRMED: Final[dict[str, int | str]] = {"ResultCode": 0, "ResultDesc": "Success"}

_SHORTCODE: Final = re.compile(r"[0-9]{3,12}", re.ASCII)
_NAMES: Final = ("FirstName", "MiddleName", "LastName")


class C2bRefusal(StrEnum):
    """Why a payment is refused at its validation; M-Pesa takes only these."""

    msisdn = "C2B00011"
    account_number = "C2B00012"
    amount = "C2B00013"
    kyc = "C2B00014"
    shortcode = "C2B00015"
    other = "C2B00016"


def c2b_accept(third_party_id: str | None = None) -> dict[str, str]:
    """The reply to a validation, within about 8 seconds. `third_party_id` comes back in the confirmation."""
    reply = {"ResultCode": "0", "ResultDesc": "Accepted"}
    return {**reply, "ThirdPartyTransID": third_party_id} if third_party_id else reply


def c2b_reject(code: C2bRefusal) -> dict[str, str]:
    """The reply to a validation that ends the payment. Raises ValueError for a code that M-Pesa does not know."""
    return {"ResultCode": C2bRefusal(code).value, "ResultDesc": "Rejected"}


def c2b_register_request(
    credentials: DarajaCredentials, confirmation_url: str, validation_url: str, response_type: ResponseType
) -> dict[str, str]:
    """The body of a registration. `response_type` is what M-Pesa does with a payment that we do not validate in time."""
    if response_type not in ("Completed", "Cancelled"):
        raise InvalidRequest("The response type must be Completed or Cancelled.", field="response_type")
    return {
        "ShortCode": credentials.collecting_shortcode,
        "ResponseType": response_type,
        "ConfirmationURL": callback_url(confirmation_url, "confirmation_url"),
        "ValidationURL": callback_url(validation_url, "validation_url"),
    }


def is_registered(body: object) -> bool:
    """A successful registration: ResponseCode of zeros only ("0", in older answers "00000000")."""
    code = Fields(body).text("ResponseCode")
    return bool(code) and not code.strip("0")


def is_registered_already(body: object) -> bool:
    """500.003.1001 says so by its text alone; with any other text it is an internal error (daraja.md 4)."""
    complaint = read_complaint(body)
    told = complaint.message.lower()
    return complaint.code == "500.003.1001" and ("already registered" in told or "duplicate notification" in told)


def parse_c2b(body: object, arrived_at: datetime | None = None) -> PaymentSeen:
    """A validation or a confirmation: a receipt, a short code and an amount are a payment, whatever the rest holds. A time
    that is missing or unreadable is `arrived_at` (by default now).

    Raises Garbled without one of the three; its code is "unfit_receipt" for a receipt that cannot be booked. The phone is
    None where it is masked, hashed or unreadable; never identify a payer by it. Names and the reference are what people
    typed.
    """
    fields = Fields(body)
    given, shortcode = fields.text("TransID"), fields.text("BusinessShortCode")
    amount = money_of(fields.get("TransAmount"))
    if not given or not _SHORTCODE.fullmatch(shortcode) or amount is None or amount.minor <= 0:
        raise garbled("payment announcement")
    receipt = receipt_in(given)
    if receipt is None:
        raise Garbled(f"A payment is announced: {unfit_receipt(given)}.", code=UNFIT_RECEIPT)
    names = (clean(fields.text(key), NAME_LENGTH) for key in _NAMES)
    return PaymentSeen(
        external_id=receipt,
        account=shortcode,
        amount=amount,
        reference=clean(fields.text("BillRefNumber"), REFERENCE_LENGTH),
        happened_at=moment_of(fields.get("TransTime")) or arrived_at or utc_now(),
        payer_name=clean(" ".join(name for name in names if name), NAME_LENGTH),
        payer_phone=clear_phone(fields.get("MSISDN")),
    )
