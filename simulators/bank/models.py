"""What a test or a demo may set in the simulated bank, and where the bank keeps what it knows."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

# Collections in world.documents.
ACCOUNTS: Final = "bank.accounts"  # by account number
MOVEMENTS: Final = "bank.movements"  # by bank transaction id
ORDERS: Final = "bank.orders"  # by order key
PROMPTS: Final = "bank.prompts"  # by TransactionID
CUSTOMERS: Final = "bank.customers"  # by name
TOKENS: Final = "bank.tokens"  # by token
SUBSCRIPTIONS: Final = "bank.subscriptions"  # by account and dialect
DELIVERIES: Final = "bank.deliveries"  # by event id
SETTINGS: Final = "bank.settings"

Dialect = Literal["ncba", "reference"]

_AMOUNT = r"^\d{1,12}(\.\d{1,2})?$"
_ACCOUNT = r"^[A-Za-z0-9-]{4,34}$"


class OpenAccount(BaseModel):
    """`balance` is the opening balance: booked when the account is new or when another figure is given than the last
    time, so that a restart of a demo does not refill the account."""

    model_config = ConfigDict(extra="forbid")

    number: str = Field(pattern=_ACCOUNT)
    name: str = Field(min_length=1)
    balance: str = Field(default="0.00", pattern=_AMOUNT)
    currency: str = "KES"


class Customer(BaseModel):
    """Who may use the APIs, and which accounts are theirs. Posting the same name again replaces everything."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    accounts: list[str] = Field(min_length=1)
    # NCBA's Open Banking.
    user_id: str | None = None
    password: str | None = None
    subscription_key: str | None = None
    # NCBA's Till API: money of prompts lands on `till_lands_on`, or on the first account.
    till_username: str | None = None
    till_password: str | None = None
    till_paybill: str = "880100"
    till_account: str | None = None
    till_lands_on: str | None = None
    # The reference bank.
    token: str | None = None


class Subscription(BaseModel):
    """Where the movements of an account are pushed: one address per account and dialect."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(pattern=_ACCOUNT)
    url: str = Field(pattern=r"^https?://")
    dialect: Dialect
    user: str = ""
    password: str = ""
    secret: str = Field(min_length=1)


class Deposit(BaseModel):
    """Somebody pays in by bank transfer."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(pattern=_ACCOUNT)
    amount: str = Field(pattern=_AMOUNT)
    narration: str = ""
    payer_name: str = "WANJIRU ACHIENG"
    payer_phone: str = ""


class Behaviour(BaseModel):
    """Times in seconds. Retries of the reference bank's webhooks come after 5 s, 30 s, 5 min, 1 h and 6 h, each times
    `retry_scale`."""

    model_config = ConfigDict(extra="forbid")

    settle_seconds: float = Field(default=0.15, ge=0, le=3600)
    payer_seconds: float = Field(default=0.3, ge=0, le=3600)
    retry_scale: float = Field(default=1.0, ge=0, le=10)
    token_seconds: int = Field(default=900, ge=0)
    token_shape: Literal["accessToken", "tokenID"] = "accessToken"
    page_size: int = Field(default=100, ge=1)
