"""NCBA's account push: one SOAP message for every movement of an account (bank_ncba.md 2). Pure.

The hash is SHA-256 over a secret and ten fields without borders between them, so it is a second lock beside the user and the
password, TLS and an allow-list of addresses, not the only one. FtCrNarration is outside the hash and is not read.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from core.bounded_json import Unreadable
from core.bounded_xml import read_xml
from core.crypto import sha256_hex
from core.errors import Garbled, InvalidRequest, NotAllowed
from core.money import Money
from core.msisdn import Msisdn
from providers.banking import BankEvent, EventKind, PushSecrets
from providers.collecting import PaymentSeen
from providers.ncba.codes import REJECTION_CODES, SUCCESS, RejectionKind
from providers.ncba.statement import NAIROBI
from providers.ports import PayoutResult, PayoutState

__all__ = ["HASHED_FIELDS", "REJECTION_CODES", "SUCCESS", "RejectionKind", "parse_push", "push_hash", "push_reply"]

HASHED_FIELDS: Final = (
    "TransType", "TransID", "TransTime", "TransAmount", "AccountNr", "Narrative", "PhoneNr", "CustomerName", "Status",
)  # fmt: skip
MEDIA_TYPE: Final = "text/xml; charset=utf-8"

_OUR_REFERENCE: Final = re.compile(r"(?<![0-9A-Za-z_-])pay_[0-9a-z]{26}-a\d+(?![0-9A-Za-z_-])", re.IGNORECASE)
_AMOUNT: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,2})?")
_KENYAN_MOBILE: Final = re.compile(r"(?:\+?254|0)([17]\d{8})")
_NUMBER_IN_NAME: Final = re.compile(r"(?<!\s)\s++\+?\d{9,15}\b.*")


def parse_push(
    raw: bytes, headers: Mapping[str, str], secrets: PushSecrets, *, currency: str, now: datetime
) -> BankEvent:
    """A verified push: a positive amount is `credited`, a negative one `debited`.

    A Status other than SUCCESS is no movement: it is told as a `result` that is `pending`. A debit's reference is the
    word in the narrative that has the form of ours; a fee may carry it too, so whoever knows the attempt compares the
    amount. `now` stands in for a time that cannot be read. Raises NotAllowed for a wrong user, password or hash, also
    where `secrets` lacks one of them, and Garbled for what is no such message.
    """
    fields = _read(raw)
    _verify(fields, secrets)
    transaction_id, account = (fields.get(name, "").strip() for name in ("TransID", "AccountNr"))
    amount_text, kind_text = (fields.get(name, "").strip() for name in ("TransAmount", "TransType"))
    status = fields.get("Status", "").strip().upper()
    if not transaction_id or not account or not _AMOUNT.fullmatch(amount_text):
        raise Garbled("An account push lacks its id, its account or its amount.")
    try:
        signed = Money.parse(amount_text, currency)
    except InvalidRequest:
        raise Garbled("The amount of an account push is not one of its currency.") from None
    if not signed.minor:
        raise Garbled("An account push tells of no amount.")
    happened_at = _moment(fields.get("TransTime", "").strip()) or now
    narrative = fields.get("Narrative", "").strip()
    side = "credit" if signed.minor > 0 else "debit"
    event_id = _event_id(transaction_id, kind_text, side, *([] if status == "SUCCESS" else [status]))
    if status == "SUCCESS" and side == "credit":
        phone = fields.get("PhoneNr", "").strip()
        payment = PaymentSeen(
            external_id=transaction_id,
            account=account,
            amount=signed,
            reference=narrative,
            happened_at=happened_at,
            # "WANJIRU KAMAU 254712000111 MPESA" is seen too: the name ends where a number begins.
            payer_name=_NUMBER_IN_NAME.sub("", fields.get("CustomerName", "").strip()),
            payer_phone=None if phone == account else _phone(phone),
        )
        return BankEvent(event_id, EventKind.credited, account, payment=payment)
    ours = _OUR_REFERENCE.search(narrative)
    done = status == "SUCCESS"
    result = PayoutResult(
        state=PayoutState.paid if done else PayoutState.pending,
        code=(kind_text if done else status.lower())[:40] or "unknown",
        detail="the bank debited the account" if done else "the bank tells of a movement that is not done",
        reference=ours.group().lower() if ours else None,
        provider_reference=transaction_id,
        receipt=transaction_id if done else None,
        amount=Money(abs(signed.minor), currency),
        happened_at=happened_at,
    )
    return BankEvent(event_id, EventKind.debited if done else EventKind.result, account, result=result)


def push_hash(secret: str, fields: Mapping[str, str]) -> str:
    """HashVal: base64 of the *hex text* of SHA-256 over the secret and `HASHED_FIELDS`, a missing one being empty."""
    plain = secret + "".join(fields.get(name, "") for name in HASHED_FIELDS)
    return base64.b64encode(hashlib.sha256(plain.encode()).hexdigest().encode()).decode()


def push_reply(ok: bool, detail: str = "") -> tuple[bytes, str]:
    """Body and media type of the answer, sent with HTTP 200: "OK", "OK: detail" or "FAIL: reason". A repeat is OK too."""
    result = ("OK" if ok else "FAIL") + (f": {detail}" if detail else "")
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>'
        f"<NCBAPaymentNotificationResult><Result>{escape(result)}</Result></NCBAPaymentNotificationResult>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return body.encode(), MEDIA_TYPE


def _read(raw: bytes) -> dict[str, str]:
    """The fields by their names without namespaces, texts untouched (the hash is over them). The envelope is NCBA's to
    change, so only the request element is looked for."""
    garbled = Garbled("This is not an NCBA account push.")
    try:
        root = read_xml(raw)
    except Unreadable:
        raise garbled from None
    found = [element for element in root.iter() if _local(element.tag) == "NCBAPaymentNotificationRequest"]
    if len(found) != 1:
        raise garbled
    fields: dict[str, str] = {}
    for element in found[0]:
        name = _local(element.tag)
        # A field that is there twice would be hashed once and read once, perhaps not the same one.
        if name in fields or len(element):
            raise garbled
        fields[name] = element.text or ""
    return fields


def _verify(fields: Mapping[str, str], secrets: PushSecrets) -> None:
    refused = NotAllowed("This account push does not prove to be NCBA's.", code="forged_push")
    if not secrets.secrets or not secrets.user or not secrets.password:
        raise refused
    given = fields.get("HashVal", "").strip()
    right = [
        _same(fields.get("User", ""), secrets.user),
        _same(fields.get("Password", ""), secrets.password),
        any(_same(given, push_hash(secret, fields)) for secret in secrets.secrets),
    ]
    if not all(right):
        raise refused


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _event_id(*parts: str) -> str:
    readable = ":".join(("ncba", *parts))
    return readable if len(readable) <= 120 else f"ncba:{sha256_hex(readable)}"


def _moment(text: str) -> datetime | None:
    """yyMMddHHmm in Nairobi, as UTC; None if it is not that."""
    try:
        return (
            datetime.strptime(text, "%y%m%d%H%M").replace(tzinfo=NAIROBI).astimezone(UTC) if len(text) == 10 else None
        )
    except ValueError:
        return None


def _phone(text: str) -> Msisdn | None:
    match = _KENYAN_MOBILE.fullmatch(text)
    try:
        return Msisdn.parse(f"+254{match.group(1)}") if match else None
    except InvalidRequest:
        return None


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]
