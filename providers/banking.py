"""A bank as the rails and the statement's readers need it: deliberately small, and honest about what a bank cannot do
(bank_ncba.md 6). Each dialect implements `BankPort`; `providers/bank_rails.py` makes rails of it.

`Unknown` is raised for time-outs, 5xx, answers that are no JSON, and every answer that lacks an explicit rejection code: it
never triggers an undo. Only evidence (a debit push, a statement line, a status answer) settles it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Final, Literal, Protocol
from zoneinfo import ZoneInfo

from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.reports import Report
from providers.collecting import OddRow, PaymentSeen, PromptOrder, PromptQuery
from providers.ports import Accepted

Rail = Literal["internal", "pesalink"]

# The banks that we know date their statements by Kenya's days, whatever the partner's own zone.
BANK_ZONE: Final = ZoneInfo("Africa/Nairobi")


def bank_day(moment: datetime) -> date:
    """The day under which a bank's statement shows a moment."""
    return moment.astimezone(BANK_ZONE).date()


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account at this bank or, with `bank_code` (PesaLink sort code), at another."""

    number: str
    name: str
    bank_code: str | None = None


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """Move `amount` from our account `source`. `reference` is ours, stored before the call, never used for another
    attempt; it is also written into the narration, where a debit push or a statement line shows it again."""

    reference: str
    rail: Rail
    source: BankAccount
    destination: BankAccount
    amount: Money
    narration: str
    send_by: datetime | None = None  # after it the instruction is not handed over any more


@dataclass(frozen=True, slots=True)
class FloatOrder:
    """Buy mobile-money float for `amount` from `source`: it appears on `float_account` (a B2C short code)."""

    reference: str
    operator: Literal["mpesa", "airtel", "mtn"]
    float_account: str
    float_name: str
    source: BankAccount
    amount: Money
    narration: str
    phone: Msisdn | None = None
    send_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class BankCapabilities:
    """What this bank can do, as far as anyone has seen it work."""

    status_query: bool  # a query by our reference that can be believed
    async_callback: bool  # results come to us by themselves
    sync_final: frozenset[str]  # instructions whose accepting answer is final: rails, "float"
    duplicate_safe: bool  # the same reference twice is executed once
    float_operators: frozenset[str]
    prompts_payers: bool  # can prompt a payer's phone (till STK push)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What became of an instruction of ours? `sent_at` bounds a statement scan."""

    reference: str
    what: Literal["transfer", "float"]
    source: BankAccount
    amount: Money
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One line of a statement. `amount` is positive; `direction` says which way. `balance` is what the account held after
    it, where the bank says so."""

    bank_transaction_id: str
    account: str
    direction: Literal["credit", "debit"]
    amount: Money
    narration: str
    value_time: datetime
    balance: Money | None = None

    @property
    def change(self) -> Money:
        """What it did to the account."""
        return self.amount if self.direction == "credit" else Money(-self.amount.minor, self.amount.currency)


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines in the bank's order. One that cannot be read hides none of the others: it stands in `unreadable`, and while
    there is any, that a line is missing from `entries` proves nothing."""

    entries: list[BankEntry]
    unreadable: list[OddRow]


def closing_balance(entries: Sequence[BankEntry]) -> Money | None:
    """What the account held after these lines, which follow each other; None where the bank does not say, or where its
    balances do not follow from its amounts. Banks list the oldest line first, or the newest."""
    told = [entry for entry in entries if entry.balance is not None]
    if not told or len(told) < len(entries):
        return None
    for lines in (told, told[::-1]):
        if all(_follows(before, after) for before, after in pairwise(lines)):
            return lines[-1].balance
    return None


def _follows(before: BankEntry, after: BankEntry) -> bool:
    assert before.balance is not None
    same = before.balance.currency == after.amount.currency
    return same and before.balance + after.change == after.balance


class EventKind(StrEnum):
    """What a bank's push tells."""

    credited = "credited"
    debited = "debited"
    result = "result"  # of an instruction of ours


@dataclass(frozen=True, slots=True)
class BankEvent:
    """A verified push. `event_id` is the same for a repeat of the same push.

    `credited` carries `payment`. `debited` and `result` carry `report`, whose `reference` is the instruction's where the
    bank names it or the narration holds it as a whole word (else None: a debit that is not ours to explain).
    """

    event_id: str
    kind: EventKind
    account: str | None
    payment: PaymentSeen | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class PushSecrets:
    """What proves that a push is the bank's. `secrets`: the newest first, older ones are still accepted.

    `user` and `password` are those of NCBA's envelope; None where the dialect has none.
    """

    secrets: tuple[str, ...]
    user: str | None = None
    password: str | None = None


class PushParser(Protocol):
    """One per bank dialect, pure, in the provider's `wire.py` as `parse_push`."""

    def __call__(
        self, raw: bytes, headers: Mapping[str, str], secrets: PushSecrets, *, currency: str, now: datetime
    ) -> BankEvent:
        """Raises NotAllowed for what the bank did not send (hash, signature, credentials, time), Garbled for what cannot
        be read; its code is "unfit_receipt" for a credit whose id cannot be booked, which shows it. Never trusts XML
        entities; its work is bounded by the size of what came."""


class BankPort(Protocol):
    """One bank, for one partner's accounts.

    A refusal of our own access (credentials, entitlement, a wrong address) is Transient with `extra["operator_needed"] ==
    "yes"` from `transfer`, `buy_float` and `prompt`: nothing left, and a person will mend it. Elsewhere it is NotAllowed.
    """

    capabilities: BankCapabilities

    async def transfer(self, order: TransferOrder) -> Accepted:
        """A `report` in the answer is final (`paid`: settled); without, the outcome comes as evidence later."""

    async def buy_float(self, order: FloatOrder) -> Accepted:
        """Raises InvalidRequest (code "unsupported_operator") for float that this bank does not sell."""

    async def find(self, inquiry: Inquiry) -> Report:
        """`paid` or `failed` only with proof. `pending` with code "not_found" where the bank does not know the reference:
        that is no failure until its settlement window has passed. Raises Rejected or Transient, never Unknown."""

    async def statement(self, account: str, start: date, end: date) -> Statement: ...
    async def prompt(self, order: PromptOrder) -> Accepted:
        """Raises InvalidRequest (code "unsupported") where the bank cannot prompt payers."""

    async def query_prompt(self, query: PromptQuery) -> Report: ...
