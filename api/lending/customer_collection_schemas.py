"""Customers' payments to a lender: asked for, followed, decided."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from api.http.values import (
    BIGINT,
    AccountNumber,
    Body,
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
from models.messages.lending.customer_collection import CollectionStage
from models.messages.saga.decisions import AccountKind, Allocation, Verdict
from models.tables.lending.customer_collection import Collection

_ROW: dict[str, Any] = {
    "id": "col_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "stage": "completed", "status": "completed",
    "ended": True,
    "client_reference": "INV-2026-0117", "metadata": {"branch": "Thika"},
    "reason_code": None, "reason": None, "requested_by": "key_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "workflow_id": "customer-collection/col_01ktv0r5m8e9a7d3c2b4x6y8z0", "created_at": "2026-11-21T06:14:03Z",
    "updated_at": "2026-11-21T06:14:45Z", "ended_at": "2026-11-21T06:14:45Z", "channel": "prompt",
    "amount": {"amount": "500.00", "currency": "KES"}, "account": "000000091", "phone": "+2547•••••678",
    "payer_reference": "KVC7F3A9C2E", "receipt": "UKL4X7QW2D", "paid_at": "2026-11-21T06:14:40Z",
    "allocations": [
        {
            "kind": "loan", "account": "000000091", "amount": {"amount": "500.00", "currency": "KES"},
            "transaction_id": 4711, "by_hand": False,
        }
    ],
}  # fmt: skip


class CollectionNew(StartIn):
    """Ask a customer to pay, by a prompt on the phone."""

    model_config = example(amount={"amount": "500.00", "currency": "KES"}, phone="+254712345678", account="000000091")

    amount: PositiveMoney = Field(description="Whole shillings")
    phone: PhoneText = Field(description="Whom to prompt: +254712345678, or 0712345678", examples=["+254712345678"])
    account: AccountNumber = Field(description="The loan or savings account that the payment is for")


class PartOut(Out):
    """A part of a payment on one account. `transaction_id` is Fineract's; `by_hand`: a person booked it there."""

    kind: AccountKind
    account: str
    amount: MoneyOut
    transaction_id: int | None
    by_hand: bool


class CollectionOut(SagaOut):
    """A payment as its row tells. `account` is the one asked for, or what the customer typed; `allocations` are the
    accounts that it was booked on."""

    model_config = example(**_ROW)

    stage: CollectionStage
    channel: Literal["prompt", "paybill"]
    amount: MoneyOut
    account: str
    phone: str | None
    payer_reference: str | None
    receipt: str | None
    paid_at: datetime | None
    allocations: list[PartOut]

    @classmethod
    def facts(cls, row: Collection) -> dict[str, Any]:
        return {
            **cls.plain(row),
            "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
            "account": row.account_ref,
            "phone": masked(row.msisdn),
            "allocations": [
                {
                    **part,
                    "account": part["account_no"],
                    "amount": MoneyOut.of(Money(part["amount_minor"], row.currency)),
                }
                for part in row.allocations
            ],
        }

    @classmethod
    def of(cls, row: Collection) -> Self:
        return cls.model_validate(cls.facts(row))


class CollectionDetail(CollectionOut):
    """A payment with everything that is known of it."""

    model_config = example(**_ROW, payment=None, prompts=[], saga=None)

    payment: PaymentOut | None
    prompts: list[PromptOut]
    saga: SagaNow | None


class AllocationIn(Body):
    """A part of the payment for one account; `accept_overpayment` where a loan owes less than its part."""

    model_config = example(kind="loan", account="000000091", amount={"amount": "500.00", "currency": "KES"})

    kind: AccountKind
    account: AccountNumber
    amount: PositiveMoney
    accept_overpayment: bool = Field(default=False, strict=True)

    @property
    def message(self) -> Allocation:
        return Allocation(
            kind=self.kind,
            account_no=self.account,
            amount=self.amount.money,
            accept_overpayment=self.accept_overpayment,
        )


class CollectionResolution(DecisionIn):
    """A person's decision where the machine must not guess, with the evidence that it rests on.

    `paid` (needs the receipt) ends a prompt whose outcome nobody has told; `not_paid` does so once another person
    approves, and another may `decline`. `allocate` names the accounts of a payment that could
    not be placed, which together take all of it; `returned` says that it was given back. `posted` says that a person
    booked in Fineract what Fineract would not take.
    """

    model_config = example(
        decision="allocate", evidence="The customer's call of 21 November.",
        allocations=[{"kind": "loan", "account": "000000091", "amount": {"amount": "500.00", "currency": "KES"}}],
    )  # fmt: skip

    decision: Literal["paid", "not_paid", "allocate", "returned", "posted", "approve", "decline"]
    evidence: Prose
    receipt: Capitals | None = Field(default=None, description="M-Pesa's receipt")
    paid_at: Moment | None = None
    proposal: ProposalId | None = None
    transaction_id: int | None = Field(default=None, strict=True, ge=1, le=BIGINT, description="Fineract's")
    allocations: list[AllocationIn] = Field(default=[], max_length=20)

    @property
    def verdict(self) -> Verdict:
        allocations = tuple(part.message for part in self.allocations) if self.decision == "allocate" else ()
        return Verdict.model_validate({**self.model_dump(exclude={"allocations"}), "allocations": allocations})
