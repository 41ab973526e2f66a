"""The words of the loan disbursement saga."""

from datetime import date, timedelta
from typing import Literal

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message
from models.messages.saga.payouts import Paid
from models.messages.saga.policies import DisbursementPolicy
from models.messages.saga.status import SagaRequest

Source = Literal["poll", "hook", "api"]


Stage = Literal[
    "requested", "waiting_funds", "waiting_limit", "waiting_date", "paying", "in_review", "approval", "posting",
    "post_review",
    "settling", "completed", "refused", "failed", "withdrawn",
]  # fmt: skip


Ending = Literal["completed", "refused", "failed", "withdrawn"]


class DisbursementNamed(SagaRequest):
    """Which disbursement a step is of."""

    disbursement_id: str
    loan_id: int
    provider: Literal["daraja"] = "daraja"


class DisbursementRequest(DisbursementNamed):
    """The saga's input. What it keeps for itself, the policy, travels to no step."""

    policy: DisbursementPolicy = DisbursementPolicy()


class ChargeLine(Message):
    """One charge of a disbursement, held before the payout and captured after it."""

    charge: Literal["mpesa_b2c", "processing", "sms"]
    amount: Money
    hold_key: str
    part: int | None = None  # the payout part (from 1) that this charge belongs to; None: to the whole


class DisbursementPlan(Message):
    """What will be paid, as read from Fineract a moment before: the payout may be split into parts by product setting."""

    loan_id: int
    account_no: str
    product_id: int
    product_name: str
    client_name: str
    msisdn: Msisdn
    parts: tuple[Money, ...]
    to_pay: Money
    principal: Money
    charges: tuple[ChargeLine, ...]
    first_repayment_on: date | None = None
    approved_on: date | None = None  # the booking may bear no earlier date


class Reserve(Message):
    """Re-read the loan, check its limits, hold its charges."""

    request: DisbursementNamed


class RecheckLoan(Message):
    """Read loan, client and dates again before a payout that had to wait. Nothing is held or written."""

    request: DisbursementNamed
    plan: DisbursementPlan


class Release(Message):
    """Give the charges back and record why nothing was paid."""

    request: DisbursementNamed
    ending: Ending
    code: str
    detail: str
    failed_reference: str | None = None


class PostDisbursal(Message):
    """Book the payout in Fineract. `key_number` grows when the server's stored failure must not be replayed. `clock_slack` is
    how far the provider's clock may be from ours."""

    request: DisbursementNamed
    plan: DisbursementPlan
    payments: tuple[Paid, ...]
    clock_slack: timedelta
    key_number: int = 1


class Posted(Message):
    transaction_id: int | None = None
    by_hand: bool = False


class Settle(Message):
    """Capture the charges, close the books of this saga, tell client and partner."""

    request: DisbursementNamed
    plan: DisbursementPlan
    payments: tuple[Paid, ...]
    posted: Posted


class DisbursementResult(Message):
    """The saga's output."""

    ending: Ending
    code: str | None = None
    detail: str | None = None
    receipts: tuple[str, ...] = ()
    transaction_id: int | None = None
