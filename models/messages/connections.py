"""How a partner's outside systems are reached: plain settings beside sealed secrets, and the small jobs on them."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message

Provider = Literal["fineract", "daraja", "bank"]


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
    # Only servers newer than April 2026 take an external id on a savings deposit; others refuse it (fineract.md 7.2).
    savings_external_ids: bool = False
    # Customers' payments are booked here too; without, the user needs fewer permissions.
    collections: bool = True
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
    # Money in: prompts to payers need a pass key (a secret) and may come from another short code than payouts do.
    stk_shortcode: str | None = Field(default=None, pattern=r"^\d{5,7}$")
    stk_party: str | None = Field(default=None, pattern=r"^\d{5,7}$")
    stk_type: Literal["CustomerPayBillOnline", "CustomerBuyGoodsOnline"] = "CustomerPayBillOnline"
    # What M-Pesa is told of a paybill payment to an account that nobody has.
    reject_unknown_accounts: bool = True
    trust: Trust = Trust()
    patience: Patience = Patience()


class DarajaSecrets(Message):
    consumer_key: str
    consumer_secret: str
    initiator_password: str
    passkey: str | None = None


class BankSettings(Message):
    """The partner's accounts at its bank. `wallet_account` holds the prepaid wallet's money and is where top-ups arrive;
    `b2c_account` is where float is bought from; `float_account` is the short code that gets the float."""

    dialect: Literal["ncba", "reference"]
    base_url: str
    wallet_account: str = Field(pattern=r"^[A-Za-z0-9-]{4,34}$")
    wallet_name: str = Field(min_length=1, max_length=100)
    b2c_account: str = Field(pattern=r"^[A-Za-z0-9-]{4,34}$")
    b2c_name: str = Field(min_length=1, max_length=100)
    float_account: str = Field(pattern=r"^[A-Za-z0-9-]{4,34}$")
    float_name: str = Field(min_length=1, max_length=100)
    currency: str = "KES"
    # NCBA publishes no list of its rejections: what is not named here is unknown, never a refusal (bank_ncba.md 6).
    rejection_codes: dict[str, Literal["invalid_request", "insufficient_funds", "limit_exceeded", "not_allowed"]] = {}
    # Silence of the bank on a reference is proof of nothing before this has passed (and never where it knows no references).
    settlement_window_minutes: int = Field(default=30, ge=1)
    till_base_url: str | None = None
    till_paybill: str | None = None
    till_account: str | None = None
    trust: Trust = Trust()
    patience: Patience = Patience()

    def role_of(self, account: str) -> Literal["wallet", "b2c"] | None:
        """Which of the partner's accounts an account number of the bank's is; None for somebody else's."""
        named = comparable(account)
        if named == comparable(self.wallet_account):
            return "wallet"
        return "b2c" if named == comparable(self.b2c_account) else None


def comparable(account: str) -> str:
    """An account number as it is compared: without blanks and hyphens, in capitals. Leading zeros count: nobody has seen
    a bank drop them, and another length is another account."""
    return "".join(account.split()).replace("-", "").upper()


class BankSecrets(Message):
    """NCBA: user, password, subscription key, the till's user and password, and what its pushes carry. The reference bank:
    `token`. `push_secrets`: the newest first; older ones are still accepted."""

    username: str | None = None
    password: str | None = None
    subscription_key: str | None = None
    token: str | None = None
    till_username: str | None = None
    till_password: str | None = None
    push_user: str | None = None
    push_password: str | None = None
    push_secrets: tuple[str, ...] = Field(min_length=1)


class SealedConnection(Message):
    """A connection as it is stored: `settings` are one of the classes above as JSON, `sealed` opens with our keys only."""

    provider: Provider
    settings: dict[str, Any]
    sealed: str
    partner_id: str | None = None
    version: int = 1


class CheckConnection(Message):
    """`answer_within`: how long an answer that comes by callback is waited for."""

    connection: SealedConnection
    answer_within: timedelta = timedelta(seconds=8)


class ConnectionChecked(Message):
    """`ok`, or why not: `code` is an error code of ours, `field` the setting to blame where one is.

    `certain` is False where only a part is known to work: M-Pesa's token proves the app, and no more than the answer to a
    question about the balance proves the short code and the initiator. `identity` is what a server says of itself that
    every one of its addresses shares, None where it says too little to tell.
    """

    ok: bool
    code: str | None = None
    detail: str | None = None
    field: str | None = None
    certain: bool = True
    identity: str | None = None


class BalanceTold(Message):
    """What M-Pesa answered to the question about a short code's balance: a refusal has a code. `certain` is False where
    the answer says nothing of the short code (M-Pesa was busy)."""

    ok: bool
    certain: bool = True
    code: str | None = None
    detail: str | None = None


class RegisterPaybill(Message):
    """Have M-Pesa announce payments to the partner's short code, and list them. `nominated` is the number on the short
    code's record at Safaricom; `unanswered` is what becomes of a payment that we do not validate in time."""

    partner_id: str
    nominated: Msisdn
    unanswered: Literal["Completed", "Cancelled"] = "Completed"


class PaybillRegistered(Message):
    """True for what is newly registered, False for what was before: then the old addresses stay."""

    announcements: bool
    pull: bool


class SyncProducts(Message):
    partner_id: str


class ProductsSynced(Message):
    found: int
    new: int


class QueryBalance(Message):
    partner_id: str


class AdminCredit(Message):
    """Money that an admin books into a partner's wallet (until top-ups arrive by themselves)."""

    amount: Money
    reference: str = Field(min_length=3, max_length=60)
    note: str = Field(default="", max_length=200)
