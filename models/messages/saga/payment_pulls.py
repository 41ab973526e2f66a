"""Payments pulled from providers' lists, and accounts checked before a payment is made."""

from models.messages.base import Message


class PullPayments(Message):
    """The input of one pull of a partner's list of payments: of a short code, or of a bank's statement."""

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
