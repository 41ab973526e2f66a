"""Customers' accounts in a core-banking system, and the money that is booked on them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

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
