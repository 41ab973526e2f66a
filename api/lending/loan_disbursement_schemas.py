"""Loan disbursements: started by a loan's id, read as a row with its attempts, commanded by people."""

from datetime import date
from typing import Any, Literal, Self, get_args

from pydantic import Field

from api.http.values import BIGINT, Moment, MoneyOut, Out, Prose, example
from api.saga.schemas import AttemptOut, ChargeHeld, DecisionIn, ProposalId, SagaNow, SagaOut, StartIn
from core.money import Money
from ledger.balances import HoldView
from models.messages.lending.loan_disbursement import Stage
from models.tables.lending.loan_disbursement import UNPAID_ENDS, Disbursement

STAGES: tuple[str, ...] = get_args(Stage)

_ROW: dict[str, Any] = {
    "id": "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "loan_id": 91,
    "stage": "paying", "status": "processing", "ended": False,
    "client_reference": "INV-2026-0117", "metadata": {"branch": "Thika"},
    "source": "api", "account": "000000091", "product_id": 1,
    "amount": {"amount": "12500.00", "currency": "KES"}, "principal": {"amount": "12500.00", "currency": "KES"},
    "charges": {"amount": "23.00", "currency": "KES"}, "paid": {"amount": "0.00", "currency": "KES"}, "receipts": [],
    "transaction_id": None, "reason_code": None, "reason": None,
    "workflow_id": "loan-disbursement/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/91", "approved_on": "2026-11-20",
    "created_at": "2026-11-21T06:14:03Z", "updated_at": "2026-11-21T06:14:05Z", "ended_at": None,
}  # fmt: skip


class DisbursementNew(StartIn):
    """Pay out one approved loan."""

    model_config = example(loan_id=91)

    loan_id: int = Field(strict=True, ge=1, le=BIGINT, description="The loan's id in Fineract")
    evidence: Prose | None = Field(
        default=None, description="Why it may be paid again: needed for a loan whose payout was sent before"
    )


class DisbursementOut(SagaOut):
    """A disbursement as its row tells. `charges` are Kivuko's and M-Pesa's fees, held in the wallet until it ends."""

    model_config = example(**_ROW)

    loan_id: int
    stage: Stage
    source: Literal["poll", "hook", "api"]
    account: str | None
    product_id: int | None
    amount: MoneyOut | None
    principal: MoneyOut | None
    charges: MoneyOut | None
    paid: MoneyOut
    receipts: list[str]
    transaction_id: int | None
    approved_on: date | None

    @classmethod
    def facts(cls, row: Disbursement) -> dict[str, Any]:
        return {
            **cls.plain(row),
            "account": row.account_no,
            "amount": MoneyOut.minor(row.amount_minor, row.currency),
            "principal": MoneyOut.minor(row.principal_minor, row.currency),
            "charges": MoneyOut.minor(row.charges_minor, row.currency),
            "paid": MoneyOut.of(Money(row.paid_minor, row.currency)),
        }

    @classmethod
    def of(cls, row: Disbursement) -> "DisbursementOut":
        return DisbursementOut.model_validate(DisbursementOut.facts(row))


class ChargesOut(Out):
    """What this disbursement costs the partner, and whether that is only held yet."""

    model_config = example(
        state="held", total={"amount": "23.00", "currency": "KES"},
        held=[{"charge": "mpesa_b2c", "amount": {"amount": "11.00", "currency": "KES"}}],
    )  # fmt: skip

    state: Literal["none", "held", "captured", "given_back"]
    total: MoneyOut | None
    held: list[ChargeHeld]

    @classmethod
    def of(cls, row: Disbursement, holds: list[HoldView]) -> Self:
        state: Literal["none", "held", "captured", "given_back"] = "none"
        if holds:
            state = "held"
        elif row.charges_minor is not None and row.ended_at is not None:
            state = "given_back" if row.stage in UNPAID_ENDS else "captured"
        held = [ChargeHeld(charge=hold.reason, amount=MoneyOut.of(hold.amount)) for hold in holds]
        return cls(state=state, total=MoneyOut.minor(row.charges_minor, row.currency), held=held)


class DisbursementDetail(DisbursementOut):
    """A disbursement with everything that is known of it."""

    model_config = example(
        **_ROW, attempts=[], charge_state={"state": "held", "total": {"amount": "23.00", "currency": "KES"}, "held": []},
        saga=None,
    )  # fmt: skip

    attempts: list[AttemptOut]
    charge_state: ChargesOut
    saga: SagaNow | None


class ResolutionIn(DecisionIn):
    """A person's decision where the machine must not guess, with the evidence that it rests on.

    `paid` (needs the receipt) ends a payout whose outcome nobody has told; `not_paid` does so once another person
    approves, and another may `decline`. `posted` says that a person booked it in Fineract; `partial` accepts that only a
    part was paid.
    """

    model_config = example(
        decision="paid", evidence="Organisation portal, 21 November, line 14: completed.", receipt="UKL4X7QW2D"
    )

    decision: Literal["paid", "not_paid", "posted", "partial", "approve", "decline"]
    evidence: Prose
    reference: str | None = Field(
        default=None, strict=True, pattern=r"^[A-Za-z0-9_\-]{1,60}$", description="The attempt; by default the last"
    )
    receipt: str | None = Field(default=None, strict=True, pattern=r"^[A-Za-z0-9]{3,40}$")
    transaction_id: int | None = Field(default=None, strict=True, ge=1, le=BIGINT)
    paid_at: Moment | None = None
    proposal: ProposalId | None = None
