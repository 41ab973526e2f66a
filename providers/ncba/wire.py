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

from core.crypto import sha256_hex
from core.errors import Garbled, NotAllowed
from core.money import Money
from core.msisdn import Msisdn
from core.texts import clean
from models.messages.saga.reports import Report
from providers.banking import BankEvent, EventKind, PushSecrets
from providers.collecting import PaymentSeen
from providers.facts import (
    ID_LENGTH,
    NAME_LENGTH,
    NARRATIVE_LENGTH,
    UNFIT_RECEIPT,
    amount_of,
    receipt_of,
    unfit_receipt,
)
from providers.ncba.codes import REJECTION_CODES, SUCCESS, RejectionKind
from providers.ncba.envelope import Envelope, read_envelope
from providers.ncba.statement import NAIROBI

__all__ = ["HASHED_FIELDS", "REJECTION_CODES", "SUCCESS", "RejectionKind", "parse_push", "push_hash", "push_reply"]

HASHED_FIELDS: Final = (
    "TransType", "TransID", "TransTime", "TransAmount", "AccountNr", "Narrative", "PhoneNr", "CustomerName", "Status",
)  # fmt: skip
MEDIA_TYPE: Final = "text/xml; charset=utf-8"

_OUR_REFERENCE: Final = re.compile(
    r"(?<![0-9A-Za-z_-])pay_[0-9a-z]{26}-a[0-9]{1,6}(?![0-9A-Za-z_-])", re.IGNORECASE | re.ASCII
)
_KENYAN_MOBILE: Final = re.compile(r"(?:\+?254|0)([17][0-9]{8})", re.ASCII)
_NUMBER_IN_NAME: Final = re.compile(r" \+?[0-9]{9,15}(?![0-9A-Za-z_])", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9-]{1,34}", re.ASCII)


def parse_push(
    raw: bytes, headers: Mapping[str, str], secrets: PushSecrets, *, currency: str, now: datetime
) -> BankEvent:
    """A verified push: a positive amount is `credited`, a negative one `debited`. Id, account and amount suffice, whatever
    the bytes of the rest.

    A Status other than SUCCESS is no movement: it is told as a `result` that is `pending`. A debit's reference is the
    word in the narrative that has the form of ours; a fee may carry it too, so whoever knows the attempt compares the
    amount. `now` stands in for a time that cannot be read. Raises NotAllowed for a wrong user, password or hash, also
    where `secrets` lacks one of them, and Garbled for what is no such message.
    """
    fields = read_envelope(raw)
    _verify(fields, secrets)
    given, account = fields.text("TransID").strip(), "".join(fields.text("AccountNr").split())
    kind_text = clean(fields.text("TransType"), 40)
    status = clean(fields.text("Status"), 40).upper()
    signed = amount_of("".join(fields.text("TransAmount").split()), currency)
    if not given or not _ACCOUNT.fullmatch(account) or signed is None:
        raise Garbled("An account push lacks its id, its account or its amount.")
    if not signed.minor:
        raise Garbled("An account push tells of no amount.")
    transaction_id = receipt_of(given)
    happened_at = _moment(fields.text("TransTime").strip()) or now
    narrative = clean(fields.text("Narrative"), NARRATIVE_LENGTH)
    side = "credit" if signed.minor > 0 else "debit"
    event_id = _event_id(given, kind_text, side, *([] if status == "SUCCESS" else [status]))
    if status == "SUCCESS" and side == "credit":
        if transaction_id is None:
            raise Garbled(f"A credit is told: {unfit_receipt(given)}.", code=UNFIT_RECEIPT)
        phone = fields.text("PhoneNr").strip()
        payment = PaymentSeen(
            external_id=transaction_id,
            account=account,
            amount=signed,
            reference=narrative,
            happened_at=happened_at,
            payer_name=_name(fields.text("CustomerName")),
            payer_phone=None if phone == account else _phone(phone),
        )
        return BankEvent(event_id, EventKind.credited, account, payment=payment)
    ours = _OUR_REFERENCE.search(narrative)
    done = status == "SUCCESS"
    unfit = done and transaction_id is None
    said = "the bank debited the account" if done else "the bank tells of a movement that is not done"
    report = Report(
        source="callback",
        state="unclear" if unfit else "paid" if done else "pending",
        code=UNFIT_RECEIPT if unfit else (kind_text if done else status.lower()) or "unknown",
        detail=unfit_receipt(given) if unfit else said,
        reference=ours.group().lower() if ours else None,
        provider_reference=clean(given, ID_LENGTH),
        receipt=transaction_id if done else None,
        amount=Money(abs(signed.minor), currency),
        happened_at=happened_at,
    )
    return BankEvent(event_id, EventKind.debited if done else EventKind.result, account, report=report)


def push_hash(secret: str, fields: Mapping[str, str], encoding: str = "utf-8") -> str:
    """HashVal: base64 of the *hex text* of SHA-256 over the secret and `HASHED_FIELDS`, a missing one being empty."""
    plain = secret + "".join(fields.get(name, "") for name in HASHED_FIELDS)
    return base64.b64encode(hashlib.sha256(plain.encode(encoding, "replace")).hexdigest().encode()).decode()


def push_reply(ok: bool, detail: str = "") -> tuple[bytes, str]:
    """Body and media type of the answer, sent with HTTP 200: "OK", "OK: detail" or "FAIL: reason". A repeat is OK too."""
    result = ("OK" if ok else "FAIL") + (f": {detail}" if detail else "")
    body = (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>'
        f"<NCBAPaymentNotificationResult><Result>{escape(result)}</Result></NCBAPaymentNotificationResult>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return body.encode(), MEDIA_TYPE


def _verify(fields: Envelope, secrets: PushSecrets) -> None:
    refused = NotAllowed("This account push does not prove to be NCBA's.", code="forged_push")
    if not secrets.secrets or not secrets.user or not secrets.password:
        raise refused
    given = fields.text("HashVal").strip()
    right = [
        _same(fields.text("User"), secrets.user),
        _same(fields.text("Password"), secrets.password),
        any(_same(given, one) for secret in secrets.secrets for one in _hashes(secret, fields)),
    ]
    if not all(right):
        raise refused


def _hashes(secret: str, fields: Envelope) -> set[str]:
    """Over the texts as they are meant and as they were sent: NCBA's samples have no character that XML escapes, so which
    of the two is hashed is not known. Each takes the secret."""
    readings = (fields.texts, fields.sent)
    return {push_hash(secret, texts, encoding) for texts in readings for encoding in ("utf-8", fields.encoding)}


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _event_id(*parts: str) -> str:
    readable = ":".join(("ncba", *parts))
    return readable if len(readable) <= 120 and readable.isprintable() else f"ncba:{sha256_hex(readable)}"


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
    return Msisdn.read(f"+254{match.group(1)}") if match else None


def _name(text: str) -> str:
    """ "WANJIRU KAMAU 254712000111 MPESA" is seen too: the name ends where a number begins."""
    name = clean(text, 4 * NAME_LENGTH)
    number = _NUMBER_IN_NAME.search(name)
    return clean(name[: number.start()] if number else name, NAME_LENGTH)
