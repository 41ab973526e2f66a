"""A connection to M-Pesa: one app and its short codes."""

from typing import Literal

from pydantic import Field

from core.outside import OutsideKey, mpesa_shortcode
from models.messages.base import Message
from models.messages.connections.reach import ConnectionSettings


class DarajaSettings(ConnectionSettings):
    """One M-Pesa app and short code of the lender's own."""

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

    def claims(self) -> tuple[OutsideKey, ...]:
        codes = (self.shortcode, self.stk_shortcode, self.stk_party)
        return tuple(dict.fromkeys(mpesa_shortcode(code) for code in codes if code))

    def account_claim(self, account: str) -> OutsideKey:
        return mpesa_shortcode(account)


class DarajaSecrets(Message):
    consumer_key: str
    consumer_secret: str
    initiator_password: str
    passkey: str | None = None
