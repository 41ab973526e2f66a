"""A connection to the tin: a toy rail on which every person has a purse, and a partner an account."""

from typing import Final

from pydantic import Field

from core.outside import OutsideKey, server_of
from models.messages.base import Message
from models.messages.connections.reach import ConnectionSettings

ACCOUNT: Final = r"^[A-Z0-9-]{4,20}$"


class TinSettings(ConnectionSettings):
    """`account` is the partner's own: what it pays from, and what payers pay into."""

    account: str = Field(pattern=ACCOUNT)
    currency: str = "KES"

    def claims(self) -> tuple[OutsideKey, ...]:
        return (self.account_claim(self.account),)

    def account_claim(self, account: str) -> OutsideKey:
        return OutsideKey("tin_account", f"{server_of(self.base_url)}/{account}")

    def currency_of_accounts(self) -> str:
        return self.currency


class TinSecrets(Message):
    token: str
