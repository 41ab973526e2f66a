"""A connection to a bank, and which of the partner's accounts there are which."""

from typing import Literal

from pydantic import Field

from core.outside import OutsideKey, bank_account
from models.messages.base import Message
from models.messages.connections.reach import ConnectionSettings


class BankSettings(ConnectionSettings):
    """The partner's accounts at its bank. `wallet_account` holds the prepaid wallet's money and is where top-ups arrive;
    `b2c_account` is where float is bought from; `float_account` is the short code that gets the float."""

    dialect: Literal["ncba", "reference"]
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

    def addresses(self) -> dict[str, str]:
        till = {"till.base_url": self.till_base_url} if self.till_base_url else {}
        return {**super().addresses(), **till}

    def claims(self) -> tuple[OutsideKey, ...]:
        return tuple(self.account_claim(account) for account in (self.wallet_account, self.b2c_account))

    def currency_of_accounts(self) -> str:
        return self.currency

    def account_claim(self, account: str) -> OutsideKey:
        return bank_account(self.dialect, self.base_url, account)

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
