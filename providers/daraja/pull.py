"""The list of what came in during the last 48 hours, for confirmations that were lost (daraja.md 5). Pure.

Answers hold their rows in a list of lists under lowercase keys, and `[[]]` beside code 1001. Times are zone-less
Nairobi time; a printed zone, as in the documented sample, is believed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from core.texts import clean
from providers.collecting import OddReason, OddRow, PaymentSeen
from providers.daraja.fields import Fields
from providers.daraja.reading import NAIROBI, clear_phone, moment_of, money_of, receipt_in
from providers.daraja.requests import DarajaCredentials, callback_url, kenyan_digits
from providers.facts import NAME_LENGTH, REFERENCE_LENGTH, row_id, unfit_receipt

PULL_REGISTER_PATH: Final = "/pulltransactions/v1/register"
PULL_QUERY_PATH: Final = "/pulltransactions/v1/query"
PULL_WINDOW: Final = timedelta(hours=48)

_OK: Final = "1000"
_NONE: Final = "1001"

# Parts of `transactiontype`, letters and digits alone. Public clients name "c2b-pay-bill-debit" and "c2b-buy-goods-debit";
# a row without a type is a payment, since the list is documented to be of payments.
_PAYMENTS: Final = ("c2b", "paybill", "buygoods", "merchantpayment", "customerpay")
# What else moves on a short code, looked for first ("Pay Bill Charge"). Told to nobody: it is none of the customers' money.
# A reversal is in neither list: it takes a payment back, which a person must hear of.
_OTHERS: Final = (
    "settle", "withdraw", "b2c", "b2b", "businesspay", "salary", "promotion", "transfer", "charge", "fee", "tax",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PullPage:
    """`rows` is how many rows the page had, of whatever kind: the next page begins after them."""

    payments: list[PaymentSeen]
    odd: list[OddRow]
    rows: int


def pull_register_request(credentials: DarajaCredentials, nominated: Msisdn, url: str) -> dict[str, str]:
    """The body of a registration; `nominated` is the number on the short code's record at Safaricom."""
    return {
        "ShortCode": credentials.collecting_shortcode,
        "RequestType": "Pull",
        "NominatedNumber": kenyan_digits(nominated),
        "CallBackURL": callback_url(url, "callback_url"),
    }


def parse_pull_registration(body: object) -> bool | None:
    """True if newly registered, False if it was before, None for any other answer."""
    fields = Fields(body)
    code = fields.text("ResponseStatus") or fields.text("ResponseCode")
    return {_OK: True, _NONE: False}.get(code)


def pull_request(credentials: DarajaCredentials, start: datetime, end: datetime, offset: int) -> dict[str, str]:
    """The body of one page's query; `offset` counts rows. Raises InvalidRequest, naming the field, for a window that
    is empty, longer than 48 hours or without a zone."""
    for field, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None:
            raise InvalidRequest("The window's times must have a zone.", field=field)
    if end <= start:
        raise InvalidRequest("The window must end after its start.", field="end")
    if end - start > PULL_WINDOW:
        raise InvalidRequest("M-Pesa lists at most 48 hours.", code="window_too_long", field="start")
    return {
        "ShortCode": credentials.collecting_shortcode,
        "StartDate": f"{start.astimezone(NAIROBI):%Y-%m-%d %H:%M:%S}",
        "EndDate": f"{end.astimezone(NAIROBI):%Y-%m-%d %H:%M:%S}",
        "OffSetValue": str(offset),
    }


def parse_pull_page(body: object, shortcode: str) -> PullPage | None:
    """The rows of one page; None if the answer has neither code 1000 nor 1001. A row that is no customer's payment, or
    cannot be read, stands beside the payments and hides none of them."""
    fields = Fields(body)
    code = fields.text("ResponseCode") or fields.text("ResponseStatus")
    if code == _NONE:
        return PullPage([], [], 0)
    if code != _OK:
        return None
    rows = list(_flat(fields.get("Response")))
    page = PullPage([], [], len(rows))
    for row in rows:
        seen = _row(Fields(row), row, shortcode)
        if isinstance(seen, PaymentSeen):
            page.payments.append(seen)
        else:
            page.odd.append(seen)
    return page


def _row(row: Fields, raw: dict[str, Any], shortcode: str) -> PaymentSeen | OddRow:
    given, amount = row.text("transactionId"), money_of(row.get("amount"))
    kind, moment = row.text("transactiontype"), moment_of(row.get("trxDate"))
    receipt = receipt_in(given)
    shown = clean(given, 60)
    if (why := _odd_type(kind)) is not None:
        return OddRow(row_id(raw), why, f"{shown or 'a row'} is of the type {clean(kind, 60)}")
    if receipt is None:
        return OddRow(row_id(raw), "unreadable", unfit_receipt(given))
    if amount is None or amount.minor <= 0 or moment is None:
        what = "time" if amount is not None and amount.minor > 0 else "amount"
        return OddRow(row_id(raw), "unreadable", f"{shown} has no {what} that can be read")
    return PaymentSeen(
        external_id=receipt,
        account=shortcode,
        amount=amount,
        reference=clean(row.text("billreference"), REFERENCE_LENGTH),
        happened_at=moment,
        payer_name=clean(row.text("sender"), NAME_LENGTH),
        payer_phone=clear_phone(row.get("msisdn")),
    )


def _odd_type(kind: str) -> OddReason | None:
    word = "".join(char for char in kind.lower() if char.isalnum())
    if any(part in word for part in _OTHERS):
        return "not_a_payment"
    is_payment = not word or (any(part in word for part in _PAYMENTS) and "revers" not in word)
    return None if is_payment else "unknown_type"


def _flat(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value if isinstance(value, list) else ():
        yield from _flat(item)
