"""Customers' accounts in a core-banking system, and the money that is booked on them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from core.money import Money

AccountKind = Literal["loan", "savings"]


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """A loan or a savings account as the core-banking system has it now. `takes_payments`: active, or an approved kind
    that accepts money; a closed, overpaid or not yet disbursed loan does not."""

    kind: AccountKind
    account_id: int
    account_no: str
    external_id: str | None
    client_id: int | None
    client_name: str
    status: str  # the server's code, "loanStatusType.active"
    takes_payments: bool
    currency: str
    opened_on: date | None = None  # a loan's disbursement, a savings account's activation: nothing is booked before it
    outstanding: Money | None = None  # loans: what is still owed in all
    balance: Money | None = None  # savings


@dataclass(frozen=True, slots=True)
class PaymentPost:
    """Book a customer's payment: a loan repayment or a savings deposit. All ids are ours, stable and within the
    server's limits (external id 100, key 50 characters). The day to book is that of `paid_at` on the core bank's calendar."""

    kind: AccountKind
    account_id: int
    amount: Money
    paid_at: datetime
    payment_type: str  # resolved by name, made if missing: "M-Pesa"
    receipt: str
    payer: str  # digits or "" where the provider masks them
    external_id: str  # `mpesa-<receipt>[-n]`: unique in the tenant for ever (loans; savings only where supported)
    idempotency_key: str
    note: str


@dataclass(frozen=True, slots=True)
class PaymentPosted:
    """`already_there`: found by re-reading instead of posted by this call. `left` is what the loan still owes or the
    savings account now holds, read afterwards; None if that read did not answer."""

    account_id: int
    transaction_id: int | None
    already_there: bool
    left: Money | None = None


@dataclass(frozen=True, slots=True)
class RecordedPayment:
    """A repayment or deposit as the core-banking system recorded it."""

    transaction_id: int
    account: CustomerAccount
    amount: Money
    paid_on: date
    external_id: str | None
    receipt: str | None
    reversed: bool


class RepaymentPort(Protocol):
    """Customers' accounts in Fineract."""

    async def find_accounts(self, number: str) -> list[CustomerAccount]:
        """Every loan and savings account with exactly this account number or external id; empty if there is none. Several
        mean that the number is ambiguous (fineract.md 8: a loan and a savings account may share one). Anything that
        is not a plausible account number (wildcards, blanks inside, over 50 characters) finds nothing."""

    async def account(self, kind: AccountKind, account_id: int) -> CustomerAccount:
        """Raises NotFound."""

    async def post_payment(self, post: PaymentPost) -> PaymentPosted:
        """Books the payment once. Re-reads after every doubtful answer (external id, else receipt and amount and date), so
        a return means that it is booked.

        Raises Conflict (code "account_closed") if the account takes no payments, NotFound, NotAllowed with code
        "awaiting_checker" under maker-checker, other Rejected for a rule of the server (with `extra["new_key"] == "yes"`
        where the key would replay it for ever), Transient when it is known not to be booked, Unknown when even the
        re-read did not answer.
        """

    async def recorded_payment(self, kind: AccountKind, account_id: int, transaction_id: int) -> RecordedPayment:
        """One transaction that is a repayment or deposit, for a hook's hint. Raises NotFound for any other."""
