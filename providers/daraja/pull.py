"""The list of what came in during the last 48 hours, for confirmations that were lost (daraja.md 5). Pure.

Answers hold their rows in a list of lists under lowercase keys, and `[[]]` beside code 1001. Times are zone-less
Nairobi time; a printed zone, as in the documented sample, is believed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from core.errors import InvalidRequest
from core.msisdn import Msisdn
from providers.collecting import PaymentSeen
from providers.daraja.gateway import text_of
from providers.daraja.reading import NAIROBI, clear_phone, garbled, moment_of, money_of
from providers.daraja.requests import DarajaCredentials, callback_url, kenyan_digits

PULL_REGISTER_PATH: Final = "/pulltransactions/v1/register"
PULL_QUERY_PATH: Final = "/pulltransactions/v1/query"
PULL_WINDOW: Final = timedelta(hours=48)

_OK: Final = "1000"
_NONE: Final = "1001"


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
    fields = body if isinstance(body, dict) else {}
    code = text_of(fields.get("ResponseStatus")) or text_of(fields.get("ResponseCode"))
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


def parse_pull_page(body: object, shortcode: str) -> list[PaymentSeen] | None:
    """The rows of one page; None if the answer has neither code 1000 nor 1001. Raises Garbled for a row that cannot be
    read: leaving it out would lose a payment for ever."""
    fields = body if isinstance(body, dict) else {}
    code = text_of(fields.get("ResponseCode"))
    if code == _NONE:
        return []
    return [_row(row, shortcode) for row in _flat(fields.get("Response"))] if code == _OK else None


def _row(row: dict[str, Any], shortcode: str) -> PaymentSeen:
    receipt, amount = text_of(row.get("transactionId")), money_of(row.get("amount"))
    moment = moment_of(row.get("trxDate"))
    if not receipt or amount is None or amount.minor <= 0 or moment is None:
        raise garbled("row of pulled payments")
    return PaymentSeen(
        external_id=receipt,
        account=shortcode,
        amount=amount,
        reference=text_of(row.get("billreference")),
        happened_at=moment,
        payer_name=text_of(row.get("sender")),
        payer_phone=clear_phone(row.get("msisdn")),
    )


def _flat(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value if isinstance(value, list) else ():
        yield from _flat(item)
