"""The words of the float purchase saga."""

from typing import Final, Literal

from pydantic import AwareDatetime, Field

from core.money import Money
from models.messages.base import Message
from models.messages.saga.payouts import BankOrder, Paid
from models.messages.saga.policies import FloatPolicy
from models.messages.saga.status import SagaRequest

FloatStage = Literal[
    "requested", "awaiting_code", "transferring", "buying", "returning", "in_review", "approval", "settling", "completed",
    "refused", "expired", "withdrawn", "failed",
]  # fmt: skip


FloatEnding = Literal["completed", "refused", "expired", "withdrawn", "failed"]


Operator = Literal["mpesa", "airtel", "mtn"]


OPERATOR_NAMES: Final[dict[Operator, str]] = {"mpesa": "M-Pesa", "airtel": "Airtel Money", "mtn": "MTN MoMo"}


class CostLine(Message):
    """One line of a purchase's price. The float itself is a line too."""

    item: Literal["float", "bank_transfer", "float_processing"]
    amount: Money
    hold_key: str


class FloatRequest(SagaRequest):
    """The saga's input: what was shown to the partner and agreed to."""

    purchase_id: str
    operator: Operator
    amount: Money
    total: Money
    policy: FloatPolicy = FloatPolicy()


class HoldCosts(Message):
    request: FloatRequest


class FloatPlan(Message):
    """The price, held in the wallet, and the three ways money may go."""

    costs: tuple[CostLine, ...]
    transfer: BankOrder
    purchase: BankOrder
    transfer_back: BankOrder


class SendCode(Message):
    """Make a one-time code and send it to the partner's authorised people. `number` counts the sendings."""

    request: FloatRequest
    number: int


class CodeSent(Message):
    expires_at: AwareDatetime
    people: int


def code_content(amount: Money, total: Money, operator: str) -> str:
    """What a code is bound to: it confirms this purchase at this price and nothing else."""
    return f"{operator} {amount} {total}"


class CodeConfirmed(Message):
    """The API's word that the right code was given for this purchase; the saga looks it up in the books itself."""

    number: int
    actor: str


class RecordMove(Message):
    """A leg has moved money between two accounts of ours at the bank: the books follow."""

    request: FloatRequest
    step: Literal["transfer", "transfer_back"]
    paid: Paid


class SettleFloat(Message):
    request: FloatRequest
    plan: FloatPlan
    transfer: Paid
    purchase: Paid


class EndFloat(Message):
    """Nothing was bought: holds are given back. `returned`: the money had been moved and is back."""

    request: FloatRequest
    ending: FloatEnding
    code: str
    detail: str
    failed_references: tuple[str, ...] = ()
    transfer: Paid | None = None
    returned: Paid | None = None


class FloatResult(Message):
    ending: FloatEnding
    receipt: str | None = None
    code: str | None = None
    detail: str | None = None


class ResendCode(Message):
    """The partner wants the code again."""

    actor: str
    note: str = Field(default="", max_length=1000)
