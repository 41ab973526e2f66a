"""Relays, as callers give and see them."""

from typing import Any, Literal, Self

from pydantic import Field

from api.http.values import Capitals, Moment, MoneyOut, Out, PhoneText, PositiveMoney, Prose, example
from api.saga.schemas import (
    AttemptOut,
    DecisionIn,
    PaymentOut,
    PromptOut,
    ProposalId,
    SagaNow,
    SagaOut,
    StartIn,
    masked,
)
from models.messages.toys.relay import RelayStage
from models.tables.toys.relay import Relay

_ROW: dict[str, Any] = {
    "id": "rly_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "stage": "waiting_money",
    "status": "pending", "ended": False, "client_reference": "INV-2026-0117", "metadata": {"branch": "Thika"},
    "reason_code": None, "reason": None, "requested_by": "key_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "workflow_id": "relay/rly_01ktv0r5m8e9a7d3c2b4x6y8z0", "created_at": "2026-11-21T06:14:03Z",
    "updated_at": "2026-11-21T06:14:05Z", "ended_at": None, "method": "code",
    "amount": {"amount": "500.00", "currency": "KES"}, "code": "KVR7F3A9C2E", "payer": None,
    "recipient": "+2547•••••678", "receipt": None, "paid_receipt": None, "returned_receipt": None,
}  # fmt: skip


class RelayNew(StartIn):
    """Money to be passed on to `recipient`. With a `payer` its holder is prompted; without one somebody pays under the code
    that the answer gives."""

    model_config = example(amount={"amount": "500.00", "currency": "KES"}, recipient="+254712345678")

    amount: PositiveMoney
    recipient: PhoneText
    payer: PhoneText | None = None


class PayTo(Out):
    """Where somebody pays who is not prompted."""

    model_config = example(account="TIN-0001")

    account: str


class RelayOut(SagaOut):
    """A relay as its row tells. `receipt` is that of the payment that came in, `paid_receipt` of what the recipient got,
    `returned_receipt` of what went back; `arrived` was begun by a payment that nobody had announced."""

    model_config = example(**_ROW)

    stage: RelayStage
    method: Literal["prompt", "code", "arrived"]
    amount: MoneyOut
    code: str | None
    payer: str | None
    recipient: str | None
    receipt: str | None
    paid_receipt: str | None
    returned_receipt: str | None

    @classmethod
    def facts(cls, row: Relay) -> dict[str, Any]:
        return {
            **cls.plain(row),
            "amount": MoneyOut.of(row.amount),
            "payer": masked(row.msisdn),
            "recipient": masked(row.recipient),
        }

    @classmethod
    def of(cls, row: Relay) -> Self:
        return cls.model_validate(cls.facts(row))


class RelayAccepted(RelayOut):
    """A relay, and where to pay it unless its payer is prompted."""

    model_config = example(**_ROW, pay_to={"account": "TIN-0001"})

    pay_to: PayTo | None


class RelayDetail(RelayOut):
    """A relay with everything that is known of it."""

    model_config = example(**_ROW, payment=None, prompts=[], attempts=[], saga=None)

    payment: PaymentOut | None
    prompts: list[PromptOut]
    attempts: list[AttemptOut]
    saga: SagaNow | None


class RelayResolution(DecisionIn):
    """What became of the prompt or the payout that nobody told of, with the evidence that it rests on. `paid` needs the
    tin's receipt; `not_paid` waits for another person's `approve` or `decline`, since it moves the money again."""

    model_config = example(decision="not_paid", evidence="The tin's own book of 21 November does not have it.")

    decision: Literal["paid", "not_paid", "approve", "decline"]
    evidence: Prose
    receipt: Capitals | None = Field(default=None, description="The tin's receipt")
    paid_at: Moment | None = None
    proposal: ProposalId | None = None
