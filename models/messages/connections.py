"""How a partner's outside systems are reached: plain settings beside sealed secrets, and the small jobs on them."""

from typing import Any, Literal

from pydantic import Field

from core.money import Money
from models.messages.base import Message

Provider = Literal["fineract", "daraja"]


class Trust(Message):
    """Which certificate we accept. `ca_pem` replaces the public roots; `verify_tls` off is for a lab alone."""

    ca_pem: str | None = None
    verify_tls: bool = True


class Patience(Message):
    """How long one call may take; less than the activity's own limit, which is 75 s for a payout."""

    connect_seconds: float = Field(default=5, gt=0, le=20)
    read_seconds: float = Field(default=30, gt=0, le=50)


class FineractSettings(Message):
    """`base_url` ends in `/fineract-provider/api`; `timezone` is the tenant's business zone."""

    base_url: str
    tenant: str = "default"
    timezone: str = "Africa/Nairobi"
    trust: Trust = Trust()
    patience: Patience = Patience()


class FineractSecrets(Message):
    username: str
    password: str


class DarajaSettings(Message):
    """One M-Pesa app and short code of the lender's own."""

    base_url: str
    shortcode: str = Field(pattern=r"^\d{5,7}$")
    initiator_name: str
    certificate_pem: str
    b2c_version: Literal["v3", "v1"] = "v3"
    command_id: Literal["BusinessPayment", "SalaryPayment", "PromotionPayment"] = "BusinessPayment"
    # Safaricom's limits per transaction today, in whole shillings (daraja.md 11); they have changed before.
    min_payout: int = Field(default=10, ge=1)
    max_payout: int = Field(default=250_000, ge=1)
    trust: Trust = Trust()
    patience: Patience = Patience()


class DarajaSecrets(Message):
    consumer_key: str
    consumer_secret: str
    initiator_password: str


class SealedConnection(Message):
    """A connection as it is stored: `settings` are one of the classes above as JSON, `sealed` opens with our keys only."""

    provider: Provider
    settings: dict[str, Any]
    sealed: str
    partner_id: str | None = None
    version: int = 1


class CheckConnection(Message):
    connection: SealedConnection


class ConnectionChecked(Message):
    """`ok`, or why not: `code` is an error code of ours, `field` the setting to blame where one is."""

    ok: bool
    code: str | None = None
    detail: str | None = None
    field: str | None = None


class SyncProducts(Message):
    partner_id: str


class ProductsSynced(Message):
    found: int
    new: int


class AskBalance(Message):
    partner_id: str


class AdminCredit(Message):
    """Money that an admin books into a partner's wallet (until top-ups arrive by themselves)."""

    amount: Money
    reference: str = Field(min_length=3, max_length=60)
    note: str = Field(default="", max_length=200)
