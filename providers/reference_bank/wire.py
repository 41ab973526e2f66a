"""The reference bank's webhooks (bank_ncba.md 6). Pure.

Signed over the time and the raw body, with 300 s of tolerance, and by any of the secrets that are active while one is
rotated. A repeat has the same `event_id`.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from core.bounded_json import Unreadable, read_json
from core.errors import Garbled, InvalidRequest, NotAllowed
from core.money import Money
from core.msisdn import Msisdn
from core.texts import clean
from models.messages.saga.reports import Report, ReportSource
from providers.banking import BankEvent, EventKind, PushSecrets
from providers.collecting import PaymentSeen
from providers.facts import (
    ID_LENGTH,
    NAME_LENGTH,
    NARRATIVE_LENGTH,
    UNFIT_RECEIPT,
    receipt_of,
    unfit_receipt,
)

TIMESTAMP_HEADER: Final = "X-Bank-Timestamp"
SIGNATURE_HEADER: Final = "X-Bank-Signature"
TOLERANCE_SECONDS: Final = 300

_MAX_BYTES: Final = 64 * 1024
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_OUR_REFERENCE: Final = re.compile(r"(?<![0-9A-Za-z_-])pay_[0-9a-z]{26}-a[0-9]{1,6}(?![0-9A-Za-z_-])", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,34}", re.ASCII)
_EVENT_ID: Final = re.compile(r"[\x21-\x7e]{1,100}")
_RESULTS: Final = {
    "transfer.settled": "settled", "transfer.rejected": "rejected", "transfer.reversed": "reversed",
    "float.settled": "settled", "float.rejected": "rejected",
}  # fmt: skip


def parse_push(
    raw: bytes, headers: Mapping[str, str], secrets: PushSecrets, *, currency: str, now: datetime
) -> BankEvent:
    """A verified webhook. `data.client_reference` names our instruction; a debit without it may hold it in `reference`.

    The receipt of a payment of ours is the bank's `bank_reference` on every channel. A time that cannot be read is `now`.
    Raises NotAllowed for a wrong signature or a time off by more than 300 s, Garbled for what is no event of the protocol.
    """
    _verify(raw, headers, secrets, now)
    body = _object(raw)
    data = body.get("data")
    event_id, kind = text_of(body.get("event_id")), text_of(body.get("type"))
    if not isinstance(data, dict) or not _EVENT_ID.fullmatch(event_id):
        raise Garbled("This is not an event of the reference bank.")
    happened_at = moment_of(body.get("occurred_at")) or now
    amount = _amount(data, currency)
    account = "".join(text_of(data.get("account")).split()) or None
    if account is not None and not _ACCOUNT.fullmatch(account):
        raise Garbled("An event of the reference bank names no account that can be one.")
    if kind in _RESULTS:
        report = _report(_RESULTS[kind], data, amount, happened_at)
        return BankEvent(event_id, EventKind.result, account, report=report)
    transaction_id = text_of(data.get("bank_transaction_id"))
    if kind not in ("account.credited", "account.debited") or not transaction_id or not account or amount is None:
        raise Garbled("An event of the reference bank lacks a fact or has an unknown type.")
    narrative = clean(text_of(data.get("reference")), NARRATIVE_LENGTH)
    if kind == "account.credited":
        receipt = receipt_of(transaction_id)
        if receipt is None:
            raise Garbled(f"A credit is told: {unfit_receipt(transaction_id)}.", code=UNFIT_RECEIPT)
        payment = PaymentSeen(
            external_id=receipt,
            account=account,
            amount=amount,
            reference=narrative,
            happened_at=happened_at,
            payer_name=clean(text_of(data.get("payer_name")), NAME_LENGTH),
            payer_phone=Msisdn.read(text_of(data.get("payer_phone"))),
        )
        return BankEvent(event_id, EventKind.credited, account, payment=payment)
    ours = _OUR_REFERENCE.search(narrative)
    report = settled_report(
        "callback",
        id_of(data.get("client_reference")) or (ours.group() if ours else None),
        text_of(data.get("bank_reference")) or transaction_id,
        code="debited",
        amount=amount,
        happened_at=happened_at,
    )
    return BankEvent(event_id, EventKind.debited, account, report=report)


def push_reply(ok: bool, detail: str = "") -> tuple[bytes, str]:
    """Body and media type of the answer. The bank retries until a 2xx, so a refusal needs a 4xx beside it."""
    return json.dumps({"received": ok, **({"detail": detail} if detail else {})}).encode(), "application/json"


def sign(secret: str, timestamp: str, raw: bytes) -> str:
    """The signature header's value: "v1=" and the hex HMAC-SHA256 of `<timestamp>.<raw body>`."""
    return f"v1={hmac.new(secret.encode(), timestamp.encode() + b'.' + raw, hashlib.sha256).hexdigest()}"


def settled_report(
    source: ReportSource,
    reference: str | None,
    bank_reference: str,
    *,
    code: str = "settled",
    amount: Money | None = None,
    happened_at: datetime | None = None,
) -> Report:
    """`unclear`, code "unfit_receipt", where the bank's own id cannot be booked."""
    receipt = receipt_of(bank_reference)
    return Report(
        source=source,
        state="paid" if receipt else "unclear",
        code=code if receipt else UNFIT_RECEIPT,
        detail="the bank has moved the money" if receipt else unfit_receipt(bank_reference),
        reference=reference,
        provider_reference=id_of(bank_reference),
        receipt=receipt,
        amount=amount,
        happened_at=happened_at,
    )


def failed_report(
    source: ReportSource,
    reference: str | None,
    bank_reference: str,
    reason: str,
    *,
    amount: Money | None = None,
    happened_at: datetime | None = None,
) -> Report:
    """`reason` is the bank's word; "reversed" where money that had moved came back."""
    code = clean(reason, 40).lower() or "rejected"
    return Report(
        source=source,
        state="failed",
        code=code,
        detail="the bank has moved the money back" if code == "reversed" else "the bank has refused it",
        reference=reference,
        provider_reference=id_of(bank_reference),
        amount=amount,
        happened_at=happened_at,
        retriable=code == "insufficient_funds",
        operator_needed=code == "insufficient_funds",
    )


def moment_of(value: Any) -> datetime | None:
    """ISO 8601 with a zone, as UTC."""
    try:
        moment = datetime.fromisoformat(text_of(value)[:40])
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def text_of(value: Any) -> str:
    """A JSON scalar as text; "" for null, for a boolean and for anything that is no scalar."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value).strip()


def id_of(value: Any) -> str | None:
    """An id, bounded and fit to be kept and shown."""
    return clean(text_of(value), ID_LENGTH) or None


def _verify(raw: bytes, headers: Mapping[str, str], secrets: PushSecrets, now: datetime) -> None:
    refused = NotAllowed("This webhook does not prove to be the bank's.", code="forged_push")
    given = {name.lower(): value for name, value in headers.items()}
    timestamp = given.get(TIMESTAMP_HEADER.lower(), "")
    signature = given.get(SIGNATURE_HEADER.lower(), "").strip().encode()
    if not _TIMESTAMP.fullmatch(timestamp) or len(raw) > _MAX_BYTES:
        raise refused
    if not any(hmac.compare_digest(signature, sign(secret, timestamp, raw).encode()) for secret in secrets.secrets):
        raise refused
    if abs(int(now.timestamp()) - int(timestamp)) > TOLERANCE_SECONDS:
        raise NotAllowed("This webhook is too old, or our clock is wrong.", code="stale_push")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = read_json(raw)
    except Unreadable:
        body = None
    if not isinstance(body, dict):
        raise Garbled("A webhook of the reference bank is no JSON object.")
    return body


def _report(state: str, data: Mapping[str, Any], amount: Money | None, happened_at: datetime) -> Report:
    reference, bank_reference = id_of(data.get("client_reference")), text_of(data.get("bank_reference"))
    if not reference or not bank_reference:
        raise Garbled("A result of the reference bank names no instruction.")
    if state == "settled":
        return settled_report("callback", reference, bank_reference, amount=amount, happened_at=happened_at)
    reason = "reversed" if state == "reversed" else text_of(data.get("reason"))
    return failed_report("callback", reference, bank_reference, reason, amount=amount, happened_at=happened_at)


def _amount(data: Mapping[str, Any], currency: str) -> Money | None:
    """None if there is none. Raises Garbled for another currency and for what is no amount above zero."""
    text = text_of(data.get("amount"))
    if not text:
        return None
    try:
        amount = Money.parse(text, text_of(data.get("currency")))
    except InvalidRequest:
        amount = None
    if amount is None or amount.minor <= 0 or amount.currency != currency:
        raise Garbled("The amount of an event is not one of the account's currency.")
    return amount
