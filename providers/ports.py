"""What the house asks of outside systems, in our own words: value types and one Protocol per capability.

Providers implement these; activities use them. Nothing here knows a provider's spelling, a database or Temporal.
Every method raises the errors of `core/errors.py` and nothing else: Rejected, Transient or Unknown.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from core.addresses import STRICT, DiallingRules
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.payouts import BankOrder
from models.messages.saga.reports import Report
from providers.collecting import PromptOrder, PromptQuery

# ---------------------------------------------------------------------------------------------- exchanges (every call)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call to a provider, sanitised: no secret, no token, phone numbers masked. Kept in the exchange log."""

    provider: str
    operation: str
    method: str
    url: str
    request: Any
    response: Any
    status_code: int | None
    outcome: str  # "ok", or the code of the error raised
    duration_ms: int
    started_at: datetime
    reference: str | None = None


class ExchangeRecorder(Protocol):
    """Keeps an exchange. Must not raise: a full log may not turn a payment's answer into an error."""

    async def __call__(self, exchange: Exchange) -> None: ...


async def forget_exchange(exchange: Exchange) -> None:
    """A recorder for places that keep no log (checks before a partner exists, tests of a client alone)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is, how far we trust its certificate, and which addresses it may lead to (by default those that
    production allows). Data, so that a client can be pointed anywhere."""

    base_url: str
    ca_pem: str | None = None  # PEM text to trust instead of the public roots
    verify_tls: bool = True
    connect_timeout: timedelta = timedelta(seconds=5)
    read_timeout: timedelta = timedelta(seconds=30)
    rules: DiallingRules = STRICT


# ------------------------------------------------------------------------------------------------- rails: money out and in

# Where a payout goes: a phone, or an account that a bank pays.
Destination = Msisdn | BankOrder


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it; nothing has been paid yet, unless a `report` says so: there only where the answer itself is
    final. `provider_reference` is the provider's own id of it, where the answer gave one."""

    provider_reference: str | None
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """Pay `amount` to `to`. `reference` is ours, stored before the call, and never used for another attempt. After
    `send_by` it is not handed over any more: NotReached with code "too_late". The addresses are for rails that call back."""

    reference: str
    to: Destination
    amount: Money
    remarks: str
    result_url: str
    timeout_url: str
    send_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class PayoutQuery:
    """Ask what became of `reference`; an answer that is not given at once comes to `answer_url`.

    `sent_at`: when it was first written down, so that nothing of it can be older. `changed_at`: when our record of it last
    changed; that a provider does not find it proves nothing before the rail's settlement window after that has passed.
    """

    reference: str
    to: Destination
    amount: Money
    sent_at: datetime
    changed_at: datetime
    answer_url: str
    provider_reference: str | None = None


class Unanswered(StrEnum):
    """Why a query has no report."""

    by_callback = "by_callback"  # the answer comes to the query's address, or never
    nothing_to_ask_by = "nothing_to_ask_by"  # the provider knows neither our reference nor has given its own


class PayoutRail(Protocol):
    """Money out, from one partner's account. `send` is attempted once per call by contract: no hidden retry after the
    request may have left.

    Remarks are cleaned to what the provider carries: a text never fails a payout. A refusal of our own access (credentials,
    entitlement, a wrong address) is no verdict on a payout, since nothing left and a person will mend it: `send` raises
    Transient with `extra["operator_needed"] == "yes"` for it, and `query` NotAllowed.
    """

    @property
    def title(self) -> str:
        """The provider as sentences for people name it."""

    def paying_account(self, to: Destination) -> str:
        """Which account of ours pays: a short code, an account number. Raises InvalidRequest (code "wrong_rail") for a
        destination that this rail does not reach."""

    async def send(self, order: PayoutOrder) -> Accepted: ...
    async def query(self, query: PayoutQuery) -> Report | Unanswered:
        """`pending`: nothing yet. Raises Rejected or Transient, never Unknown."""


class CollectionRail(Protocol):
    """Money in, on our initiative. `send` is attempted once per call by contract.

    A refusal of our own access is Transient with `extra["operator_needed"] == "yes"` from `send`, since nothing left and a
    person will mend it, and NotAllowed from `query`.
    """

    @property
    def title(self) -> str:
        """The provider as sentences for people name it."""

    async def send(self, order: PromptOrder) -> Accepted:
        """Rejected or Transient: no prompt was sent; InvalidRequest with code "unsupported" where it cannot prompt.
        Unknown: one may have been; there is then no id to query with."""

    async def query(self, query: PromptQuery) -> Report:
        """`pending`: nothing yet. Raises Rejected or Transient, never Unknown."""


# ------------------------------------------------------------------------------------------------------- core banking


@dataclass(frozen=True, slots=True)
class LoanProduct:
    product_id: int
    name: str
    currency: str
    active: bool
    min_principal: Money | None
    max_principal: Money | None
    multi_disburse: bool


@dataclass(frozen=True, slots=True)
class LoanDisbursal:
    """A disbursement transaction found on a loan. `reversed` ones count as not there."""

    transaction_id: int
    amount: Money
    external_id: str | None
    receipt: str | None
    reversed: bool


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan as the core-banking system has it now. `status` is the server's code ("loanStatusType.approved")."""

    loan_id: int
    account_no: str
    product_id: int
    product_name: str
    client_id: int | None
    client_name: str
    status: str
    awaiting_disbursal: bool
    active: bool
    approved_principal: Money
    net_disbursal: Money | None
    approved_on: date | None
    expected_disbursement_on: date | None
    multi_disburse: bool
    disbursals: tuple[LoanDisbursal, ...] = ()  # filled by `loan`, empty in lists
    next_repayment_on: date | None = None
    kind: str = ""  # the server's code, "accountType.individual"; "" where it does not say
    top_up: bool = False  # it closes an older loan with a part of its principal
    auto_down_payment: bool = False  # a down payment is booked with the disbursal, without money of ours
    charged_off: bool = False


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of a list that cannot be read. `digest` is of its content: another content is another trouble."""

    row_id: int | None
    digest: str
    why: str


@dataclass(frozen=True, slots=True)
class ApprovedLoans:
    """What awaits disbursal, by id, and the rows among it that nobody can read."""

    loans: list[Loan]
    unreadable: list[UnreadableRow]


@dataclass(frozen=True, slots=True)
class BankClient:
    """A borrower. `phone` is free text as typed by a person, or None; `status` the server's code
    ("clientStatusType.active")."""

    client_id: int
    name: str
    phone: str | None
    active: bool
    status: str = ""
    office_id: int | None = None


@dataclass(frozen=True, slots=True)
class DisbursalPost:
    """Book a payout in the core-banking system. `external_id` and `idempotency_key` are ours and stable. The day to book is
    the client's to find: that of `paid_at` on the core bank's calendar, and never before `not_before` (the approval)."""

    loan_id: int
    amount: Money
    paid_at: datetime
    payment_type: str  # resolved by name, made if missing: "M-Pesa"
    receipt: str
    account: str  # the phone paid, digits
    external_id: str
    idempotency_key: str
    note: str
    not_before: date | None = None


@dataclass(frozen=True, slots=True)
class DisbursalPosted:
    loan_id: int
    transaction_id: int | None
    already_there: bool  # found by re-reading instead of posted by this call


class CoreBanking(Protocol):
    """Loans in Fineract."""

    async def products(self) -> list[LoanProduct]: ...
    async def approved_loans(self, *, after_id: int = 0, page: int = 100) -> ApprovedLoans:
        """All loans that await disbursal, ordered by id, each re-checked; pages until nothing new comes. A row that cannot be
        read stops no other."""

    async def loan(self, loan_id: int) -> Loan: ...
    async def client(self, client_id: int) -> BankClient: ...
    async def post_disbursal(self, post: DisbursalPost) -> DisbursalPosted:
        """Books the payout once. Re-reads the loan after every doubtful answer, so a return means that it is booked.

        Raises Conflict if the loan was disbursed by someone else (code "disbursed_elsewhere") or is no longer approved
        ("loan_not_approved"), NotAllowed with code "awaiting_checker" under maker-checker, other Rejected for a rule
        of the server, Transient when it is known not to be booked ("no_allowed_date": on no day that may be given today),
        Unknown when even the re-read did not answer.
        """

    async def payment_type(self, name: str) -> int:
        """The id of a payment type, made if missing: to be asked for before money moves. Raises NotAllowed, Transient."""

    async def may_book_today(self, *, not_before: date | None, office_id: int | None) -> None:
        """Raises Transient (code "no_allowed_date", `extra` "why", "opens_on", "opens_at") if a disbursement could be
        booked on no day that may be given now."""

    async def check(self) -> None: ...


# ------------------------------------------------------------------------------------------------------ notifications


@dataclass(frozen=True, slots=True)
class SmsAccepted:
    gateway: str
    message_id: str | None
    cost: str | None = None


class SmsPort(Protocol):
    """One SMS gateway. Rejected with `extra["failover"] == "no"` means that another gateway would refuse it too."""

    name: str

    async def send(self, to: Msisdn, text: str, *, reference: str) -> SmsAccepted: ...
    async def check(self) -> None: ...


class EmailPort(Protocol):
    async def send(self, to: str, subject: str, text: str, *, message_id: str) -> None: ...
    async def check(self) -> None: ...
