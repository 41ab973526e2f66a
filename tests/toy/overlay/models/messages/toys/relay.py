"""The words of the relay saga."""

from datetime import timedelta
from typing import Literal

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message
from models.messages.saga.arrived_payments import ArrivedPayment
from models.messages.saga.payouts import Paid, Unpaid
from models.messages.saga.policies import PayoutPolicy, PromptPolicy
from models.messages.saga.prompts import Collected, PromptInstruction
from models.messages.saga.status import SagaRequest

RelayStage = Literal[
    "requested", "prompting", "waiting_money", "in_review", "approval", "paying", "returning", "settling", "completed",
    "returned", "failed", "expired", "withdrawn",
]  # fmt: skip
RelayEnding = Literal["completed", "returned", "failed", "expired", "withdrawn"]


class RelayPolicy(Message):
    """How patient a relay is. What fails is returned, so nothing is paid a second time by itself."""

    prompt: PromptPolicy = PromptPolicy()
    payout: PayoutPolicy = PayoutPolicy(attempt_again_after=())
    money_within: timedelta = timedelta(days=1)


class RelayRequest(SagaRequest):
    """The saga's input. The payer is prompted, or pays under `code`, or has paid already (`arrived`). Without a recipient
    the payment named nobody, and goes back."""

    relay_id: str
    amount: Money
    code: str | None = None
    recipient: Msisdn | None = None
    prompt: PromptInstruction | None = None
    arrived: ArrivedPayment | None = None
    policy: RelayPolicy = RelayPolicy()


class TakeMoney(Message):
    """Make the payment this relay's, once per payment whatever announced it."""

    request: RelayRequest
    collected: Collected


class MoneyTaken(Message):
    """`ours` is False if another relay has the payment. What arrived is passed on, whatever was asked for."""

    ours: bool
    claimed_by: str
    amount: Money
    payer: Msisdn


class TurnBack(Message):
    """The money goes back, since it is known not to have reached the recipient."""

    request: RelayRequest
    failure: Unpaid


class EndRelay(Message):
    """`paid` is what went to the recipient ("completed") or back to the payer ("returned")."""

    request: RelayRequest
    ending: RelayEnding
    code: str | None = None
    detail: str | None = None
    paid: Paid | None = None


class RelayResult(Message):
    ending: RelayEnding
    receipt: str | None = None
    code: str | None = None
    detail: str | None = None
