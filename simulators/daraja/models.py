"""What a test or a demo may set in the simulated M-Pesa, and its prices and limits (daraja.md 11 and 12)."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

# Collections in world.documents.
APPS: Final = "daraja.apps"  # by consumer key
SHORTCODES: Final = "daraja.shortcodes"  # by short code
TOKENS: Final = "daraja.tokens"  # by consumer key
ORDERS: Final = "daraja.orders"  # by OriginatorConversationID
CUSTOMERS: Final = "daraja.customers"  # by MSISDN
SETTINGS: Final = "daraja.settings"
KEYS: Final = "daraja.keys"
PROMPTS: Final = "daraja.prompts"  # by CheckoutRequestID
LAST_PROMPTS: Final = "daraja.last_prompts"  # by MSISDN:amount
PAYERS: Final = "daraja.payers"  # by MSISDN
C2B_URLS: Final = "daraja.c2b_urls"  # by short code or till
PULLERS: Final = "daraja.pullers"  # short codes and tills registered for the pull

# Numbers 254700040000 to 254700040999 belong to nobody: a payout to them fails with 2040.
UNREGISTERED_PREFIX: Final = "254700040"

# KES per payout to a registered customer, by the upper end of the band: Safaricom's B2C form of August 2023. Above the
# last band no figure is published; the last one is charged.
TARIFF: Final = ((100, 0), (1_500, 5), (5_000, 9), (20_000, 11), (150_000, 13))

_AMOUNT = r"^\d{1,12}(\.\d{2})?$"


class OpenApp(BaseModel):
    """An app on the portal with one short code. Posting it again changes what differs and unlocks the initiator.

    `utility_balance` is the opening balance: it is set when the short code is new or when another figure is given than
    the last time, so that a restart of a demo does not refill the account.
    """

    model_config = ConfigDict(extra="forbid")

    consumer_key: str = Field(min_length=1)
    consumer_secret: str = Field(min_length=1)
    shortcode: str = Field(pattern=r"^\d{5,7}$")
    initiator_name: str = Field(min_length=1)
    initiator_password: str = Field(min_length=1)
    utility_balance: str = Field(default="500000.00", pattern=_AMOUNT)
    working_balance: str = Field(default="90500.00", pattern=_AMOUNT)
    b2c_versions: list[Literal["v3", "v1"]] = ["v3", "v1"]
    organisation: str = "KIVUKO LTD"
    new_token_kills_old: bool = False  # documented, not confirmed by anyone (daraja.md, fact 12)
    expires_in_as_number: bool = False  # the new page prints a number, the old one a text
    strict: bool = False  # notes in the books what the gateway takes although no page says so
    passkey: str | None = Field(default=None, min_length=1)  # without one no prompt can be sent
    till: str | None = Field(default=None, pattern=r"^\d{5,7}$")  # whose head office the short code is


class Customer(BaseModel):
    """What is special about one phone: `balance` is what it holds beside today's payouts."""

    model_config = ConfigDict(extra="forbid")

    msisdn: str = Field(pattern=r"^254[17]\d{8}$")
    registered: bool = True
    balance: str = Field(default="0.00", pattern=_AMOUNT)
    name: str | None = None


class Payer(BaseModel):
    """What the person with this phone does about prompts: for the next `times`, or until told otherwise."""

    model_config = ConfigDict(extra="forbid")

    msisdn: str = Field(pattern=r"^254[17]\d{8}$")
    does: Literal["pay", "slow", "cancel", "wrong_pin", "no_funds", "no_answer", "locked", "expire"] = "pay"
    after_seconds: float | None = Field(default=None, ge=0, le=600)
    times: int | None = Field(default=None, ge=1)


class PaybillPayment(BaseModel):
    """A customer pays by the phone's menu. `names` are the payer's, first to last; they are kept for the next time."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    shortcode: str = Field(pattern=r"^\d{5,7}$")
    msisdn: str = Field(pattern=r"^254[17]\d{8}$")
    amount: str = Field(pattern=r"^[1-9]\d{0,8}(\.00)?$")
    bill_reference: str = Field(default="", max_length=100)
    names: str | list[str] | None = None


class Behaviour(BaseModel):
    """Times and limits, in seconds and whole KES. The limits are today's documented ones."""

    model_config = ConfigDict(extra="forbid")

    execution_delay_seconds: float = Field(default=0.15, ge=0, le=3600)
    answer_delay_seconds: float = Field(default=0.1, ge=0, le=3600)  # of status and balance results
    token_seconds: int = Field(default=3599, ge=1)
    lock_after: int = Field(default=3, ge=1)  # wrong initiator passwords before 8006; the real figure is unpublished
    minimum: int = Field(default=10, ge=0)
    maximum: int = 250_000
    daily_limit: int = 500_000
    maximum_balance: int = 500_000
    status_ack_echoes_reference: bool = False  # KEPAS saw the queried id echoed, the page shows a fresh one
    sandbox: bool = False  # C2B addresses may be overwritten, and C2B payments simulated
    stk_prompt_seconds: float = Field(default=25, ge=0, le=600)  # how long a prompt waits; 26 were seen
    stk_payer_seconds: float = Field(default=0.5, ge=0, le=600)  # how long payers think
    stk_repeat_seconds: float = Field(default=120, ge=0)  # within which the same amount to the same payer gets 17
    stk_minimum: int = Field(default=1, ge=0)
    stk_maximum: int = 250_000
    c2b_validation: bool = True  # Safaricom switches it on for a short code when asked to
    c2b_validation_seconds: float = Field(default=8, ge=0, le=60)
    c2b_msisdn: Literal["by_version", "masked", "hashed", "clear"] = "by_version"  # v2 masks, v1 hashes
    pull_page: int = Field(default=100, ge=1)
    pull_odd_rows: list[dict[str, Any]] = []  # what the list holds beside payments: it comes before them


def charge_of(shillings: int) -> int:
    """The charge in KES for a payout of so many KES."""
    return next((charge for top, charge in TARIFF if shillings <= top), TARIFF[-1][1])
