"""The chart of accounts. Every account of the books is made here by a typed constructor; nobody spells an id elsewhere."""

from dataclasses import dataclass
from typing import Literal

from core.errors import InvalidRequest
from core.money import exponent_of

Side = Literal["debit", "credit"]


@dataclass(frozen=True, slots=True)
class Account:
    """One account. It is opened in the database by its first transfer, and what is said here may not change later.

    `side` is the normal side: a credit-side account (what we owe: a partner's wallet; what we earned: fees) grows by
    credits. `floor_minor` is the least that may stay available, open holds deducted; None means no floor. A `pool` has
    no floor and no row lock: its lines are appended, its balance is the last roll-up plus the tail. `hot` accounts are
    locked after all others, so that their locks are held for the shortest time.
    """

    id: str
    currency: str
    side: Side
    floor_minor: int | None
    pool: bool
    hot: bool = False

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if not 0 < len(self.id) <= 200:
            raise InvalidRequest("An account id has 1 to 200 characters.", field="account")
        if self.pool and (self.floor_minor is not None or self.hot):
            raise InvalidRequest("A pool is never locked, so it can have no floor and is never hot.", field="account")


def partner_wallet(partner_id: str, currency: str) -> Account:
    """What a partner has with us to pay out and to pay our fees from. May not fall below zero."""
    return Account(f"wallet:{partner_id}:{currency}", currency, "credit", floor_minor=0, pool=False)


def mpesa_fees(currency: str) -> Account:
    """What partners paid for the provider's own tariff."""
    return _fees("mpesa", currency)


def processing_fees(currency: str) -> Account:
    """What partners paid for our service."""
    return _fees("processing", currency)


def sms_fees(currency: str) -> Account:
    """What partners paid for messages."""
    return _fees("sms", currency)


def bank_funding(currency: str) -> Account:
    """Where partners' money comes from: top-ups by bank and credits by an administrator."""
    return Account(f"funding:bank:{currency}", currency, "debit", floor_minor=None, pool=True)


def bank_fees(currency: str) -> Account:
    """What partners paid for transfers at a bank."""
    return _fees("bank", currency)


def bank_account(number: str, currency: str) -> Account:
    """What lies on one real account at a bank, as our books have it: to be equal to the bank's own to the cent. A pool,
    since the bank is its referee and every top-up passes through it."""
    return Account(f"bank:{number}:{currency}", currency, "debit", floor_minor=None, pool=True)


def _fees(kind: str, currency: str) -> Account:
    return Account(f"fees:{kind}:{currency}", currency, "credit", floor_minor=None, pool=True)
