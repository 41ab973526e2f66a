"""What we send to Daraja: credentials, the rules that a request must keep, and the bodies (daraja.md 2, 3.2, 7, 8)."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from pydantic import BaseModel, ConfigDict, Field

from core.errors import InvalidRequest
from core.money import Money
from core.msisdn import Msisdn
from providers.facts import PLAIN_SIGNS, carried

TOKEN_PATH: Final = "/oauth/v1/generate"  # noqa: S105 - a path, not a secret
B2C_PATHS: Final = {"v3": "/mpesa/b2c/v3/paymentrequest", "v1": "/mpesa/b2c/v1/paymentrequest"}
STATUS_PATH: Final = "/mpesa/transactionstatus/v1/query"
BALANCE_PATH: Final = "/mpesa/accountbalance/v1/query"

# Daraja refuses callback URLs that contain one of these in any case (daraja.md, fact 11); `exec` and `m-pesa` too.
FORBIDDEN_URL_WORDS: Final = ("m-pesa", "mpesa", "safaricom", "exec", "exe", "cmd", "sql", "query")

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,36}")
_REMARKS_LENGTH: Final = 100
_KENYAN_MOBILE = re.compile(r"254[17][0-9]{8}")
_SHORTCODE: Final = r"^[0-9]{5,7}$"


class DarajaCredentials(BaseModel):
    """One short code's access to Daraja. Dumps to JSON whole (to be sealed); `repr` and error texts show no secret.

    `certificate_pem` is Safaricom's X.509 certificate (sandbox and production differ); the published ones are long
    expired, so only its key is used. `b2c_version` v1 has no caller reference: a doubtful answer can never be retried.

    Prompts need a `passkey`. They come from `stk_shortcode` (by default `shortcode`) and are paid to `stk_party_b` (by
    default the same); a till is the party of its head office's short code (daraja.md 6).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    consumer_key: str = Field(min_length=1, repr=False)
    consumer_secret: str = Field(min_length=1, repr=False)
    shortcode: str = Field(pattern=_SHORTCODE)
    initiator_name: str = Field(min_length=1, max_length=100)
    initiator_password: str = Field(min_length=1, max_length=200, repr=False)
    certificate_pem: str = Field(min_length=1, repr=False)
    b2c_version: Literal["v3", "v1"] = "v3"
    command_id: Literal["BusinessPayment", "SalaryPayment", "PromotionPayment"] = "BusinessPayment"
    passkey: str | None = Field(default=None, min_length=1, max_length=200, repr=False)
    stk_shortcode: str | None = Field(default=None, pattern=_SHORTCODE)
    stk_type: Literal["CustomerPayBillOnline", "CustomerBuyGoodsOnline"] = "CustomerPayBillOnline"
    stk_party_b: str | None = Field(default=None, pattern=_SHORTCODE)

    @property
    def collecting_shortcode(self) -> str:
        """Where customers' money comes in: the till if there is one, else the paybill."""
        return self.stk_party_b or self.stk_shortcode or self.shortcode


@dataclass(frozen=True, slots=True)
class B2cOrder:
    """Pay `amount` to a phone. `reference` is ours. After `send_by` it is not handed over any more."""

    reference: str
    msisdn: Msisdn
    amount: Money
    remarks: str
    result_url: str
    timeout_url: str
    send_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """Ask what became of `reference`; the answer comes to `result_url`. `provider_reference`: M-Pesa's own id of the
    payment, where the acknowledgement gave one."""

    reference: str
    result_url: str
    timeout_url: str
    provider_reference: str | None = None


def security_credential(credentials: DarajaCredentials) -> str:
    """The initiator's password under Safaricom's key: RSA, PKCS#1 v1.5, base64 (daraja.md 2). Differs at every call.

    Raises InvalidRequest with field "certificate_pem" if the certificate cannot be used.
    """
    try:
        key = x509.load_pem_x509_certificate(credentials.certificate_pem.encode()).public_key()
        if not isinstance(key, RSAPublicKey):
            raise ValueError("not an RSA key")
        sealed = key.encrypt(credentials.initiator_password.encode(), PKCS1v15())
    except ValueError:
        raise InvalidRequest(
            "The M-Pesa certificate is not a PEM certificate with an RSA key that can hold the password.",
            code="bad_certificate",
            field="certificate_pem",
        ) from None
    return base64.b64encode(sealed).decode()


def b2c_request(order: B2cOrder, credentials: DarajaCredentials) -> dict[str, str]:
    """The body of a payout. v3 carries our reference; v1 has no field for it (daraja.md 3.1).

    Raises InvalidRequest, naming the field, for whatever M-Pesa cannot carry: nothing has been sent then.
    """
    if not _REFERENCE.fullmatch(order.reference):
        raise InvalidRequest("The reference must be 1 to 36 of A-Z a-z 0-9 _ -.", field="reference")
    shillings = whole_shillings(order.amount)
    phone = kenyan_digits(order.msisdn)
    body = {
        "InitiatorName": credentials.initiator_name,
        "SecurityCredential": security_credential(credentials),
        "CommandID": credentials.command_id,
        "Amount": shillings,
        "PartyA": credentials.shortcode,
        "PartyB": phone,
        "Remarks": remarks_of(order.remarks),
        **callback_urls(order.result_url, order.timeout_url),
    }
    if credentials.b2c_version == "v1":
        return body
    # The optional occasion is shown on the portal, where a person may search for our reference. Spelled so on v3.
    return {"OriginatorConversationID": order.reference, **body, "Occassion": order.reference}


def status_request(query: StatusQuery, credentials: DarajaCredentials) -> dict[str, str]:
    """The body of a status query, by our reference on v3 and by Daraja's own id or the receipt on v1.

    The key that is not used is left out: an empty one is acknowledged and never answered (daraja.md 7).
    Raises InvalidRequest with code "nothing_to_ask" for a v1 payout whose acknowledgement was lost.
    """
    asked = query.reference if credentials.b2c_version == "v3" else query.provider_reference
    if not asked:
        raise InvalidRequest(
            "A payout of B2C v1 without an acknowledgement has no id to ask by.", code="nothing_to_ask"
        )
    # Receipts are letters and digits alone; every kind of conversation id has a hyphen or an underscore.
    is_receipt = credentials.b2c_version == "v1" and asked.isalnum()
    return {
        "Initiator": credentials.initiator_name,
        "SecurityCredential": security_credential(credentials),
        "CommandID": "TransactionStatusQuery",
        "TransactionID" if is_receipt else "OriginalConversationID": asked,
        "PartyA": credentials.shortcode,
        "IdentifierType": "4",
        **callback_urls(query.result_url, query.timeout_url),
        "Remarks": "status check",
        "Occasion": "status check",
    }


def balance_request(credentials: DarajaCredentials, result_url: str, timeout_url: str) -> dict[str, str]:
    """The body of a balance query (daraja.md 8)."""
    return {
        "Initiator": credentials.initiator_name,
        "SecurityCredential": security_credential(credentials),
        "CommandID": "AccountBalance",
        "PartyA": credentials.shortcode,
        "IdentifierType": "4",
        "Remarks": "balance check",
        **callback_urls(result_url, timeout_url),
    }


def whole_shillings(amount: Money) -> str:
    """The amount as Daraja takes it. Raises InvalidRequest unless it is whole Kenyan shillings above zero."""
    if amount.currency != "KES":
        raise InvalidRequest("M-Pesa Kenya moves Kenyan shillings only.", field="amount")
    shillings = amount.whole_units()
    if shillings <= 0:
        raise InvalidRequest("The amount must be above zero.", field="amount")
    return str(shillings)


def kenyan_digits(msisdn: Msisdn) -> str:
    """Twelve digits without plus. Raises InvalidRequest for a number that is no Kenyan mobile."""
    if not _KENYAN_MOBILE.fullmatch(msisdn.digits):
        raise InvalidRequest("M-Pesa Kenya knows Kenyan mobile numbers only.", code="invalid_msisdn", field="phone")
    return msisdn.digits


def remarks_of(remarks: str) -> str:
    """2 to 100 characters that M-Pesa carries. What it refuses is left out: a text never fails a payout."""
    fit = carried(remarks, _REMARKS_LENGTH, PLAIN_SIGNS)
    return fit if len(fit) >= 2 else "payment"


def callback_urls(result_url: str, timeout_url: str) -> dict[str, str]:
    """Both callback fields. Raises InvalidRequest for a URL that Daraja would refuse."""
    return {
        "QueueTimeOutURL": callback_url(timeout_url, "timeout_url"),
        "ResultURL": callback_url(result_url, "result_url"),
    }


def callback_url(url: str, field: str) -> str:
    """The URL itself. Raises InvalidRequest, naming `field`, if Daraja would refuse it; the detail does not repeat it."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or url != url.strip():
        raise InvalidRequest("A callback URL must be a full http or https address.", field=field)
    for word in FORBIDDEN_URL_WORDS:
        if word in url.lower():
            raise InvalidRequest(
                f"Daraja refuses callback URLs that contain the word {word!r}.", code="callback_url", field=field
            )
    return url
