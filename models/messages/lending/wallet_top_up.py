"""The words of the wallet top-up saga."""

from typing import Literal

from core.money import Money
from models.messages.base import Message
from models.messages.saga.arrived_payments import ArrivedPayment
from models.messages.saga.policies import TopUpPolicy
from models.messages.saga.prompts import Collected, PromptInstruction
from models.messages.saga.status import SagaRequest

TopUpStage = Literal[
    "requested", "prompting", "waiting_money", "in_review", "unallocated", "approval", "crediting", "completed", "returned",
    "failed", "expired", "withdrawn",
]  # fmt: skip


TopUpEnding = Literal["completed", "returned", "failed", "expired", "withdrawn"]


class TopUpRequest(SagaRequest):
    """The saga's input. By bank transfer it waits for money under `reference`; by prompt it asks the payer first; a credit
    that names no top-up comes as `arrived` and waits for a person."""

    top_up_id: str
    method: Literal["bank_transfer", "prompt", "unannounced"]
    amount: Money
    reference: str | None = None
    prompt: PromptInstruction | None = None
    arrived: ArrivedPayment | None = None
    policy: TopUpPolicy = TopUpPolicy()


class CreditWallet(Message):
    """Book an arrived payment into the wallet, once per bank transaction."""

    request: TopUpRequest
    collected: Collected
    decided_by: tuple[str, ...] = ()


class WalletCredited(Message):
    """`ours` is False if another saga had booked the payment already."""

    ours: bool
    claimed_by: str
    amount: Money


class EndTopUp(Message):
    request: TopUpRequest
    ending: TopUpEnding
    code: str
    detail: str


class TopUpResult(Message):
    ending: TopUpEnding
    amount: Money | None = None
    code: str | None = None
    detail: str | None = None
