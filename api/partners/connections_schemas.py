"""A partner's outside systems: what is given, and what of it is ever shown again."""

import ssl
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate
from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.http.values import Body, MoneyOut, Out, PhoneText, ShortLine, Timezone, checked_by, example
from core.money import Money
from models.messages.connections.daraja import DarajaSecrets, DarajaSettings
from models.messages.connections.fineract import FineractSecrets, FineractSettings
from models.messages.connections.reach import Trust
from models.providers import ProviderName
from models.tables.platform.connection import Connection
from models.tables.platform.provider_balance import ProviderBalance

_PEM = StringConstraints(strict=True, min_length=1, max_length=20_000, pattern=r"^[\t\n\r -~]+$")


def _rsa_certificate(pem: str) -> None:
    if not isinstance(load_pem_x509_certificate(pem.encode()).public_key(), RSAPublicKey):
        raise ValueError("not an RSA key")


def _trust_store(pem: str) -> None:
    try:
        ssl.create_default_context(cadata=pem)
    except ssl.SSLError as error:
        raise ValueError("not a certificate") from error


def _address(url: str) -> str:
    parts = urlsplit(url)
    if not parts.hostname or parts.port == 0:
        raise ValueError("no host")
    return url


Url = Annotated[
    str,
    StringConstraints(
        strict=True, max_length=300, pattern=r"^https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%/\-]*)?$"
    ),
    checked_by(
        _address, "url_parsing", "Give an address with a host, such as https://bank.example/fineract-provider/api"
    ),
    AfterValidator(lambda url: url.rstrip("/")),
]
Secret = Annotated[SecretStr, Field(strict=True, min_length=1, max_length=500)]
ShortCode = Annotated[str, Field(strict=True, pattern=r"^[0-9]{5,7}$")]
Certificate = Annotated[
    str, _PEM, checked_by(_rsa_certificate, "bad_certificate", "Give a PEM certificate with an RSA key")
]
TrustedCertificates = Annotated[
    str, _PEM, checked_by(_trust_store, "bad_certificate", "Give one or more PEM certificates")
]


class ConnectionIn(Protocol):
    """What is given of a connection to any provider, whichever file its body stands in."""

    @property
    def provider(self) -> str: ...
    def settings(self) -> dict[str, Any]:
        """As they are stored: of the provider's own class (models/providers.py)."""

    def secrets_json(self) -> str: ...


def plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


class TrustIn(Body):
    """Which certificate we accept: `ca_pem` replaces the public roots; `verify_tls` off is for a lab alone."""

    model_config = example(ca_pem=None, verify_tls=True)

    ca_pem: TrustedCertificates | None = None
    verify_tls: bool = Field(default=True, strict=True)

    @property
    def message(self) -> Trust:
        return Trust(ca_pem=self.ca_pem, verify_tls=self.verify_tls)


class FineractIn(Body):
    """The lender's Mifos X or Fineract; `base_url` ends in `/fineract-provider/api`. `savings_external_ids` is for servers
    that take an external id on a deposit; others refuse it. Without `collections` no customers' payments are booked there,
    and the user needs fewer permissions."""

    model_config = example(
        base_url="https://bank.example/fineract-provider/api", tenant="default", timezone="Africa/Nairobi",
        username="kivuko", password="…",  # noqa: S106 - an example
    )  # fmt: skip

    base_url: Url
    tenant: ShortLine = "default"
    timezone: Timezone = "Africa/Nairobi"
    username: ShortLine
    password: Secret
    savings_external_ids: bool = False
    collections: bool = True
    trust: TrustIn = TrustIn()

    provider: ClassVar[Literal["fineract"]] = "fineract"

    def settings(self) -> dict[str, Any]:
        kept = FineractSettings(
            base_url=self.base_url,
            tenant=self.tenant,
            timezone=self.timezone,
            savings_external_ids=self.savings_external_ids,
            collections=self.collections,
            trust=self.trust.message,
        )
        return kept.model_dump(mode="json")

    def secrets_json(self) -> str:
        return FineractSecrets(username=self.username, password=self.password.get_secret_value()).model_dump_json()


class DarajaIn(Body):
    """The lender's own M-Pesa app and short codes. Prompts to customers need the pass key; they come from `stk_shortcode`
    and are paid to `stk_party` (a till, for instance), both by default the short code itself."""

    model_config = example(
        base_url="https://api.safaricom.co.ke", shortcode="600997", initiator_name="kivukoapi",
        initiator_password="…", certificate_pem="-----BEGIN CERTIFICATE-----\n…", consumer_key="…",  # noqa: S106 - an example
        consumer_secret="…", b2c_version="v3", command_id="BusinessPayment", min_payout=10, max_payout=250000,  # noqa: S106 - an example
        passkey="…", reject_unknown_accounts=True,
    )  # fmt: skip

    base_url: Url
    shortcode: ShortCode
    initiator_name: ShortLine
    initiator_password: Secret
    certificate_pem: Certificate
    consumer_key: Secret
    consumer_secret: Secret
    b2c_version: Literal["v3", "v1"] = "v3"
    command_id: Literal["BusinessPayment", "SalaryPayment", "PromotionPayment"] = "BusinessPayment"
    min_payout: int = Field(default=10, strict=True, ge=1, le=10_000_000, description="Whole shillings")
    max_payout: int = Field(default=250_000, strict=True, ge=1, le=10_000_000, description="Whole shillings")
    passkey: Secret | None = None
    stk_shortcode: ShortCode | None = None
    stk_type: Literal["CustomerPayBillOnline", "CustomerBuyGoodsOnline"] = "CustomerPayBillOnline"
    stk_party: ShortCode | None = Field(default=None, validate_default=True)
    reject_unknown_accounts: bool = Field(
        default=True, strict=True, description="What M-Pesa is told of a paybill payment to an account that nobody has"
    )
    trust: TrustIn = TrustIn()

    provider: ClassVar[Literal["daraja"]] = "daraja"

    @field_validator("stk_party")
    @classmethod
    def _till_for_goods(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("stk_type") == "CustomerBuyGoodsOnline":
            raise PydanticCustomError("missing", "Prompts to buy goods need the till's number")
        return value

    def settings(self) -> dict[str, Any]:
        kept = DarajaSettings(
            base_url=self.base_url,
            shortcode=self.shortcode,
            initiator_name=self.initiator_name,
            certificate_pem=self.certificate_pem,
            b2c_version=self.b2c_version,
            command_id=self.command_id,
            min_payout=self.min_payout,
            max_payout=self.max_payout,
            stk_shortcode=self.stk_shortcode,
            stk_party=self.stk_party,
            stk_type=self.stk_type,
            reject_unknown_accounts=self.reject_unknown_accounts,
            trust=self.trust.message,
        )
        return kept.model_dump(mode="json")

    def secrets_json(self) -> str:
        return DarajaSecrets(
            consumer_key=self.consumer_key.get_secret_value(),
            consumer_secret=self.consumer_secret.get_secret_value(),
            initiator_password=self.initiator_password.get_secret_value(),
            passkey=plain(self.passkey),
        ).model_dump_json()


class ConnectionOut(Out):
    """A connection without its secrets. `blocked`: nothing is sent until somebody gives working credentials. `unproven`:
    nothing is sent until the platform has vetted its address. `unchecked`: its credentials work, and M-Pesa has not yet
    said that the short code is theirs."""

    model_config = example(
        provider="fineract", status="ok", version=1, checked_at="2026-11-21T06:14:03Z", check_detail=None,
        settings={"base_url": "https://bank.example/fineract-provider/api", "tenant": "default"},
        updated_at="2026-11-21T06:14:03Z",
    )  # fmt: skip

    provider: ProviderName
    status: Literal["unchecked", "ok", "failing", "blocked", "unproven"]
    version: int
    checked_at: datetime | None
    check_detail: str | None
    settings: dict[str, Any]
    updated_at: datetime

    @classmethod
    def of(cls, row: Connection) -> Self:
        return cls.model_validate(row, from_attributes=True)


class PushAddress(Out):
    """Where a provider tells of payments. The address is a secret."""

    model_config = example(purpose="push", url="https://kivuko.example/cb/bank/4f1c…/")

    purpose: str
    url: str


class PushAddresses(Out):
    """The addresses to register at the provider: a bank's `push`, M-Pesa's `confirm` and `check` (validation)."""

    provider: ProviderName
    items: list[PushAddress]


class PaybillIn(Body):
    """Have M-Pesa announce payments to the lender's short code. `nominated_phone` is the number on the short code's record
    at Safaricom; `unanswered` is what becomes of a payment that we do not validate in time."""

    model_config = example(nominated_phone="+254711000222", unanswered="Completed")

    nominated_phone: PhoneText = Field(description="+254711000222, or 0711000222", examples=["+254711000222"])
    unanswered: Literal["Completed", "Cancelled"] = "Completed"


class PaybillOut(Out):
    """What M-Pesa says. Addresses that were registered already stay as they were, ours or another's: only the portal can
    delete them. `pull` is the list of payments that recovers lost announcements."""

    model_config = example(announcements="newly_registered", pull="already_registered")

    announcements: Literal["newly_registered", "already_registered"]
    pull: Literal["newly_registered", "already_registered"]


class ProviderBalanceOut(Out):
    """The last balance that a provider told us of one of the partner's accounts there."""

    model_config = example(
        provider="daraja", account="Utility Account", balance={"amount": "400230.50", "currency": "KES"},
        told_at="2026-11-21T06:14:03Z",
    )  # fmt: skip

    provider: str
    account: str
    balance: MoneyOut
    told_at: datetime

    @classmethod
    def of(cls, row: ProviderBalance) -> Self:
        balance = MoneyOut.of(Money(row.amount_minor, row.currency))
        return cls(provider=row.provider, account=row.account, balance=balance, told_at=row.told_at)
