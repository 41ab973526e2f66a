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
from providers.banking import BankEvent, EventKind, PushSecrets
from providers.collecting import PaymentSeen
from providers.ports import PayoutResult, PayoutState

TIMESTAMP_HEADER: Final = "X-Bank-Timestamp"
SIGNATURE_HEADER: Final = "X-Bank-Signature"
TOLERANCE_SECONDS: Final = 300

_MAX_BYTES: Final = 64 * 1024
_TIMESTAMP: Final = re.compile(r"\d{1,12}")
_OUR_REFERENCE: Final = re.compile(r"(?<![0-9A-Za-z_-])pay_[0-9a-z]{26}-a\d+(?![0-9A-Za-z_-])")
_RESULTS: Final = {
    "transfer.settled": "settled", "transfer.rejected": "rejected", "transfer.reversed": "reversed",
    "float.settled": "settled", "float.rejected": "rejected",
}  # fmt: skip


def parse_push(
    raw: bytes, headers: Mapping[str, str], secrets: PushSecrets, *, currency: str, now: datetime
) -> BankEvent:
    """A verified webhook. `data.client_reference` names our instruction; a debit without it may hold it in `reference`.

    The receipt of a payment of ours is the bank's `bank_reference` on every channel. Raises NotAllowed for a wrong
    signature or a time off by more than 300 s, Garbled for what is no event of the protocol.
    """
    _verify(raw, headers, secrets, now)
    body = _object(raw)
    data = body.get("data")
    event_id, kind = text_of(body.get("event_id")), text_of(body.get("type"))
    if not isinstance(data, dict) or not event_id or len(event_id) > 100:
        raise Garbled("This is not an event of the reference bank.")
    happened_at = moment_of(body.get("occurred_at"))
    amount = _amount(data, currency)
    account = text_of(data.get("account")) or None
    if happened_at is None:
        raise Garbled("An event of the reference bank lacks its time.")
    if kind in _RESULTS:
        result = _result(_RESULTS[kind], data, amount, happened_at)
        return BankEvent(event_id, EventKind.result, account, result=result)
    transaction_id = text_of(data.get("bank_transaction_id"))
    if kind not in ("account.credited", "account.debited") or not transaction_id or not account or amount is None:
        raise Garbled("An event of the reference bank lacks a fact or has an unknown type.")
    if kind == "account.credited":
        payment = PaymentSeen(
            external_id=transaction_id,
            account=account,
            amount=amount,
            reference=text_of(data.get("reference")),
            happened_at=happened_at,
            payer_name=text_of(data.get("payer_name")),
            payer_phone=_phone(text_of(data.get("payer_phone"))),
        )
        return BankEvent(event_id, EventKind.credited, account, payment=payment)
    ours = _OUR_REFERENCE.search(text_of(data.get("reference")))
    result = settled_result(
        text_of(data.get("client_reference")) or (ours.group() if ours else None),
        text_of(data.get("bank_reference")) or transaction_id,
        code="debited",
        amount=amount,
        happened_at=happened_at,
    )
    return BankEvent(event_id, EventKind.debited, account, result=result)


def push_reply(ok: bool, detail: str = "") -> tuple[bytes, str]:
    """Body and media type of the answer. The bank retries until a 2xx, so a refusal needs a 4xx beside it."""
    return json.dumps({"received": ok, **({"detail": detail} if detail else {})}).encode(), "application/json"


def sign(secret: str, timestamp: str, raw: bytes) -> str:
    """The signature header's value: "v1=" and the hex HMAC-SHA256 of `<timestamp>.<raw body>`."""
    return f"v1={hmac.new(secret.encode(), timestamp.encode() + b'.' + raw, hashlib.sha256).hexdigest()}"


def settled_result(
    reference: str | None,
    bank_reference: str,
    *,
    code: str = "settled",
    amount: Money | None = None,
    happened_at: datetime | None = None,
) -> PayoutResult:
    return PayoutResult(
        PayoutState.paid,
        code,
        "the bank has moved the money",
        reference=reference,
        provider_reference=bank_reference,
        receipt=bank_reference,
        amount=amount,
        happened_at=happened_at,
    )


def failed_result(
    reference: str | None,
    bank_reference: str,
    reason: str,
    *,
    amount: Money | None = None,
    happened_at: datetime | None = None,
) -> PayoutResult:
    """`reason` is the bank's word; "reversed" where money that had moved came back."""
    code = reason.lower()[:40] or "rejected"
    return PayoutResult(
        PayoutState.failed,
        code,
        "the bank has moved the money back" if code == "reversed" else "the bank has refused it",
        reference=reference,
        provider_reference=bank_reference,
        amount=amount,
        happened_at=happened_at,
        retriable=code == "insufficient_funds",
        operator_needed=code == "insufficient_funds",
    )


def moment_of(value: Any) -> datetime | None:
    """ISO 8601 with a zone, as UTC."""
    try:
        moment = datetime.fromisoformat(text_of(value))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def text_of(value: Any) -> str:
    """A JSON scalar as text; "" for null, for a boolean and for anything that is no scalar."""
    if value is None or isinstance(value, bool | dict | list):
        return ""
    return str(value).strip()


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


def _result(state: str, data: Mapping[str, Any], amount: Money | None, happened_at: datetime) -> PayoutResult:
    reference, bank_reference = (text_of(data.get(name)) for name in ("client_reference", "bank_reference"))
    if not reference or not bank_reference:
        raise Garbled("A result of the reference bank names no instruction.")
    if state == "settled":
        return settled_result(reference, bank_reference, amount=amount, happened_at=happened_at)
    reason = "reversed" if state == "reversed" else text_of(data.get("reason"))
    return failed_result(reference, bank_reference, reason, amount=amount, happened_at=happened_at)


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


def _phone(text: str) -> Msisdn | None:
    try:
        return Msisdn.parse(text) if text else None
    except InvalidRequest:
        return None
