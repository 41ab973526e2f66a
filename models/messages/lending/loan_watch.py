"""The poll for approved loans."""

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
