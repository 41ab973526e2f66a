"""Payments pulled from providers' lists, accounts checked before them, payments that Fineract recorded."""

from models.messages.base import Message
from models.messages.lending.customer_collection import AccountKind


class PullPayments(Message):
    """The input of one pull of a short code's payments."""

    partner_id: str


class PullStatement(Message):
    """The input of one reading of a bank's statement."""

    partner_id: str


class PaymentsPulled(Message):
    """What one pull saw; `recovered` had not been announced before."""

    seen: int = 0
    recovered: int = 0


class CheckAccount(Message):
    """Does anybody have this account? Asked while M-Pesa waits for the validation's answer."""

    partner_id: str
    account_ref: str


class AccountChecked(Message):
    known: bool


class PaymentRecorded(Message):
    """A hook's hint: the core-banking system recorded a payment."""

    partner_id: str
    kind: AccountKind
    account_id: int
    transaction_id: int


class PaymentTold(Message):
    """What became of the hint."""

    told: bool
    why: str
