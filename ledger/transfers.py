"""The commands of the ledger. Each has a `key` made by its caller *before* the effect (workflow id, `:`,
step), and is checked when it is made: InvalidRequest names the field that breaks a rule, LimitExceeded
("amount_too_large") an amount above the largest of its currency.

The same key with the same content gives the first result again. `happened_at` and `note` describe and move no money, so
they are no part of the content that is compared.
"""

from dataclasses import dataclass
from datetime import datetime

from core.errors import InvalidRequest, LimitExceeded
from core.money import LARGEST_MINOR, Money
from ledger.chart import Account


@dataclass(frozen=True, slots=True)
class Post:
    """Move `amount` at once. `happened_at` is the provider's clock; without it, the moment of posting."""

    key: str
    debit: Account
    credit: Account
    amount: Money
    reason: str
    happened_at: datetime | None = None
    group: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _check_texts(key=self.key, reason=self.reason)
        _check_aware(happened_at=self.happened_at)
        _check_movement(self.debit, self.credit, self.amount)
        _check_remarks(self.group, self.note)


@dataclass(frozen=True, slots=True)
class Hold:
    """Set `amount` aside: it counts as gone in every funds check until the hold is captured, released or expired.

    `held_until` only says from when on `Expire` is allowed; a capture after it is still taken, since the money moved.
    """

    key: str
    debit: Account
    credit: Account
    amount: Money
    reason: str
    workflow_id: str
    held_until: datetime | None = None
    happened_at: datetime | None = None
    group: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _check_texts(key=self.key, reason=self.reason, workflow_id=self.workflow_id)
        _check_aware(held_until=self.held_until, happened_at=self.happened_at)
        _check_movement(self.debit, self.credit, self.amount)
        _check_remarks(self.group, self.note)


@dataclass(frozen=True, slots=True)
class Capture:
    """Post a hold: all of it, or `amount` of it, which releases the rest. A hold is captured once."""

    key: str
    hold_key: str
    amount: Money | None = None
    happened_at: datetime | None = None

    def __post_init__(self) -> None:
        _check_texts(key=self.key, hold_key=self.hold_key)
        _check_aware(happened_at=self.happened_at)
        if self.amount is not None and self.amount.minor <= 0:
            raise InvalidRequest("The amount must be more than zero.", field="amount")


@dataclass(frozen=True, slots=True)
class Release:
    """Give a hold back. A hold that never happened is tolerated and from then on refused (Conflict `hold_released`)."""

    key: str
    hold_key: str

    def __post_init__(self) -> None:
        _check_texts(key=self.key, hold_key=self.hold_key)


@dataclass(frozen=True, slots=True)
class Expire:
    """Release a hold whose `held_until` has passed; before that, or without one, Conflict `hold_not_expired`."""

    key: str
    hold_key: str

    def __post_init__(self) -> None:
        _check_texts(key=self.key, hold_key=self.hold_key)


@dataclass(frozen=True, slots=True)
class Reverse:
    """Post the mirror of a posted transfer or of a captured hold (`of_key` names the hold or its capture), once."""

    key: str
    of_key: str
    reason: str

    def __post_init__(self) -> None:
        _check_texts(key=self.key, of_key=self.of_key, reason=self.reason)


Command = Post | Hold | Capture | Release | Expire | Reverse


def _check_texts(**texts: str) -> None:
    for field, text in texts.items():
        if not 0 < len(text) <= 300 or "\0" in text:
            raise InvalidRequest(f"{field} must have 1 to 300 characters.", field=field)


def _check_remarks(group: str | None, note: str) -> None:
    if group is not None:
        _check_texts(group=group)
    if len(note) > 1000 or "\0" in note:
        raise InvalidRequest("note may have 1000 characters.", field="note")


def _check_aware(**moments: datetime | None) -> None:
    for field, moment in moments.items():
        if moment is not None and moment.tzinfo is None:
            raise InvalidRequest(f"{field} must name its time zone.", field=field)


def _check_movement(debit: Account, credit: Account, amount: Money) -> None:
    if amount.minor <= 0:
        raise InvalidRequest("The amount must be more than zero.", field="amount")
    if amount.minor > LARGEST_MINOR[amount.currency]:
        raise LimitExceeded("The amount is above the largest of its currency.", code="amount_too_large", field="amount")
    if debit.id == credit.id:
        raise InvalidRequest("Debit and credit must be two accounts.", field="credit")
    if debit.currency != amount.currency:
        raise InvalidRequest("The debit account is in another currency than the amount.", field="debit")
    if credit.currency != amount.currency:
        raise InvalidRequest("The credit account is in another currency than the amount.", field="credit")
