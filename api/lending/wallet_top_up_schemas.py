"""Wallet top-ups: announced, followed, decided."""

from typing import Any, Literal, Self

from pydantic import Field

from api.http.values import (
    Capitals,
    Moment,
    MoneyOut,
    Out,
    PhoneText,
    PositiveMoney,
    Prose,
    example,
)
from api.saga.schemas import DecisionIn, PaymentOut, PromptOut, ProposalId, SagaNow, SagaOut, StartIn, masked
from core.money import Money
from models.messages.lending.wallet_top_up import TopUpStage
from models.tables.lending.wallet_top_up import TopUp

_ROW: dict[str, Any] = {
    "id": "top_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "stage": "waiting_money", "status": "pending",
    "ended": False,
    "client_reference": "INV-2026-0117", "metadata": {"branch": "Thika"},
    "reason_code": None, "reason": None, "requested_by": "key_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "workflow_id": "wallet-top-up/top_01ktv0r5m8e9a7d3c2b4x6y8z0", "created_at": "2026-11-21T06:14:03Z",
    "updated_at": "2026-11-21T06:14:05Z", "ended_at": None, "method": "bank_transfer",
    "amount": {"amount": "5000.00", "currency": "KES"}, "reference": "KVT7F3A9C2E", "phone": None,
    "credited": None, "bank_reference": None,
}  # fmt: skip
_PAY_TO = {"account": "1000200030", "name": "KIVUKO WALLET"}


class TopUpNew(StartIn):
    """Money for the wallet. Without a phone it is paid by bank transfer, under the code that the answer gives; with one,
    its holder is prompted."""

    model_config = example(amount={"amount": "5000.00", "currency": "KES"})

    amount: PositiveMoney
    phone: PhoneText | None = Field(
        default=None, description="Whom to prompt: +254711000222, or 0711000222", examples=["+254711000222"]
    )


class PayTo(Out):
    """The account that the transfer goes to."""

    model_config = example(**_PAY_TO)

    account: str
    name: str


class TopUpOut(SagaOut):
    """A top-up as its row tells. `reference` is the code that the payer must write on the transfer; `credited` is what
    arrived and was booked, whatever was announced; `unannounced` came without a code; `admin` was booked by a person."""

    model_config = example(**_ROW)

    stage: TopUpStage
    method: Literal["bank_transfer", "prompt", "unannounced", "admin"]
    amount: MoneyOut
    reference: str | None
    phone: str | None
    credited: MoneyOut | None
    bank_reference: str | None

    @classmethod
    def facts(cls, row: TopUp) -> dict[str, Any]:
        return {
            **cls.plain(row),
            "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
            "phone": masked(row.msisdn),
            "credited": MoneyOut.minor(row.credited_minor, row.currency),
        }

    @classmethod
    def of(cls, row: TopUp) -> Self:
        return cls.model_validate(cls.facts(row))


class TopUpAccepted(TopUpOut):
    """A top-up and, if it is paid by bank transfer, where to."""

    model_config = example(**_ROW, pay_to=_PAY_TO)

    pay_to: PayTo | None


class TopUpDetail(TopUpAccepted):
    """A top-up with everything that is known of it."""

    model_config = example(**_ROW, pay_to=_PAY_TO, payment=None, prompts=[], saga=None)

    payment: PaymentOut | None
    prompts: list[PromptOut]
    saga: SagaNow | None


class TopUpResolution(DecisionIn):
    """A person's decision where the machine must not guess, with the evidence that it rests on.

    `paid` (needs the bank's transaction) and `not_paid` are about a prompt in review. `allocate` says that a credit without
    a code is this partner's money, `returned` that it was given back. Each waits for another person's `approve` or
    `decline`.
    """

    model_config = example(decision="allocate", evidence="The lender's mail of 21 November with the bank's slip.")

    decision: Literal["paid", "not_paid", "allocate", "returned", "approve", "decline"]
    evidence: Prose
    receipt: Capitals | None = Field(default=None, description="The bank's transaction id")
    paid_at: Moment | None = None
    proposal: ProposalId | None = None
