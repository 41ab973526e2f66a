"""What the callback inbox needs of a Daraja body: a stable id, a copy fit for logs, the reply (daraja.md 3.6, 13)."""

import json
import re
from typing import Any, Final

from core.crypto import sha256_hex
from core.errors import Garbled
from providers.daraja.fields import Fields, spelt
from providers.daraja.reading import metadata_of, money_of

# Sent with HTTP 200 as soon as the body is stored. Daraja sends each callback once, whatever we answer (fact 4).
CALLBACK_REPLY: Final[dict[str, int | str]] = {"ResultCode": 0, "ResultDesc": "Accepted"}

_PERSONAL: Final = frozenset(
    {
        "partyb", "msisdn", "phonenumber", "receiverpartypublicname", "creditpartyname", "debitpartyname",
        "creditpartypublicname", "debitpartypublicname", "firstname", "middlename", "lastname", "idnumber",
        "nominatednumber", "sender",
    }
)  # fmt: skip
_SECRET: Final = frozenset({"securitycredential", "password"})
# As 254…, or as people type it into a bill's reference.
_PHONE_IN_TEXT = re.compile(r"(?<![0-9A-Za-z])(?:\+?254\d{9}|0[17]\d{8})(?![0-9A-Za-z])")
# A prompt's CheckoutRequestID ends in the payer's number without its country code (daraja.md 6).
_PHONE_IN_ID = re.compile(r"(?<=ws_CO_)(\d{14})\d{9,}")
# The signature of a payment's address, and the secret of a short code's: 16 and 32 bytes.
_URL_SECRET = re.compile(r"(?<=/)(?:[0-9a-f]{32}|[0-9a-f]{64})(?=[/?]|$)")


def external_id(kind: str, body: object) -> str:
    """The inbox's id of a callback: the same for a repeat, another for a contradiction. Holds no phone number.

    `kind` is ours ("result", "timeout", "status", "balance", "asked" for a prompt, any for a payment's validation or
    confirmation). Raises Garbled if the body is no object. A notice without any id (v1) is told apart by its callback
    address, which is made per payment.
    """
    if not isinstance(body, dict):
        raise Garbled("This is not a Daraja callback.")
    readable = ":".join((kind, *_identity(body)))
    return readable if len(readable) <= 200 and readable.isprintable() else f"{kind}:{sha256_hex(readable)}"


def _identity(body: dict[str, Any]) -> tuple[str, ...]:
    whole = Fields(body)
    if prompt := whole.within("Body").within("stkCallback"):
        # The CheckoutRequestID holds the payer's number. Receipt and amount tell two successes apart.
        ids = json.dumps([prompt.text(key) for key in ("MerchantRequestID", "CheckoutRequestID")])
        found = metadata_of(prompt)
        receipt, paid = found.text("MpesaReceiptNumber"), money_of(found.get("Amount"))
        return sha256_hex(ids)[:32], prompt.text("ResultCode"), receipt, str(paid.minor) if paid else ""
    if payment := whole.text("TransID"):
        amount = money_of(whole.get("TransAmount"))
        return payment, whole.text("BusinessShortCode"), str(amount.minor) if amount else ""
    fields = whole.within("Result") or whole
    originator, conversation, result_type, code, transaction = (
        fields.text(key)
        for key in ("OriginatorConversationID", "ConversationID", "ResultType", "ResultCode", "TransactionID")
    )
    if not originator and not conversation:
        address = fields.text("ResultURL")
        originator = sha256_hex(address or json.dumps(body, sort_keys=True, default=str))[:32]
    # The type keeps a "more to come" message from hiding the final one.
    return originator, conversation, result_type, code, transaction


def scrub(body: object) -> Any:
    """A copy for logs and screens: credentials and URL secrets gone, phone numbers and names masked."""
    return _scrub(body, "")


def _mask(text: str) -> str:
    """ "25471•••678" of a number, with or without a name after it; nothing of anything else. Masking twice is safe."""
    first = text.split(" ")[0]
    return f"{first[:5]}•••{first[-3:]}" if len(first) > 8 and first[:5].isdigit() and first[-3:].isdigit() else "•••"


def _scrub(value: Any, key: str) -> Any:
    word = spelt(key)
    if isinstance(value, dict):
        # Parameter lists are [{"Key": …, "Value": …}], a prompt's [{"Name": …}]: the name sits beside the value.
        named = Fields(value).text("Key") or Fields(value).text("Name")
        return {
            k: _scrub(v, named if spelt(k) == "value" and named else str(k))
            for k, v in value.items()
            if spelt(k) not in _SECRET
        }
    if isinstance(value, list):
        return [_scrub(item, key) for item in value]
    if word in _SECRET:
        return "•••"
    if word in _PERSONAL and value:
        return _mask(str(value))
    if isinstance(value, str):
        return _PHONE_IN_TEXT.sub("•••", _PHONE_IN_ID.sub(r"\1•••", _URL_SECRET.sub("•••", value)))
    if isinstance(value, int | float) and _PHONE_IN_TEXT.fullmatch(str(value).removesuffix(".0")):
        return "•••"
    return value
