"""Approved loans: the poll for them, hints that one was approved, and the products that
they are of."""

from models.messages.base import Message


class WatchLoans(Message):
    """The input of one poll of a partner's core-banking system."""

    partner_id: str


class LoansWatched(Message):
    """What one poll saw and did."""

    seen: int = 0
    started: int = 0
    already_known: int = 0
    not_enabled: int = 0
    product_unknown: int = 0
    unreadable: int = 0


class LoanHint(Message):
    """A hook's hint: the core-banking system approved this loan."""

    partner_id: str
    loan_id: int


class LoanLookedAt(Message):
    """What a look at one loan found and did; `why` is the reason for starting nothing."""

    started: bool
    why: str = ""


class SyncProducts(Message):
    partner_id: str


class ProductsSynced(Message):
    found: int
    new: int
