"""Payments that Fineract recorded, told to the customer."""

from models.messages.base import Message
from models.messages.saga.decisions import AccountKind


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
