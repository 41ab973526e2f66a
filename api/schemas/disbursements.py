"""Loan disbursements: started by a loan's id, read as a row with its attempts, commanded by people."""

from datetime import date, datetime
from typing import Any, Literal, Self, get_args

from pydantic import Field

from api.schemas.values import BIGINT, Body, Moment, MoneyOut, Note, Out, Prose, example, id_pattern
from core.ids import PARTNER
from core.money import Money
from core.msisdn import Msisdn
from ledger.balances import HoldView
from models.messages.disbursements import DisbursementStatus, LegStatus, Stage
from models.tables.disbursements import UNPAID_ENDS, Disbursement, PayoutAttempt, SagaEvent

STAGES: tuple[str, ...] = get_args(Stage)

_ROW: dict[str, Any] = {
    "id": "dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "loan_id": 91,
    "stage": "paying", "ended": False, "source": "api", "account_no": "000000091", "product_id": 1,
    "amount": {"amount": "12500.00", "currency": "KES"}, "principal": {"amount": "12500.00", "currency": "KES"},
    "charges": {"amount": "23.00", "currency": "KES"}, "paid": {"amount": "0.00", "currency": "KES"}, "receipts": [],
    "transaction_id": None, "reason_code": None, "reason": None,
    "workflow_id": "loan-disbursement/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/91", "approved_on": "2026-11-20",
    "created_at": "2026-11-21T06:14:03Z", "updated_at": "2026-11-21T06:14:05Z", "ended_at": None,
}  # fmt: skip


class DisbursementNew(Body):
    """Pay out one approved loan. The partner is the key's own, and is named only by keys of the house."""

    model_config = example(loan_id=91)

    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    loan_id: int = Field(strict=True, ge=1, le=BIGINT, description="The loan's id in Fineract")


class DisbursementOut(Out):
    """A disbursement as its row tells. `charges` are Kivuko's and M-Pesa's fees, held in the wallet until it ends."""

    model_config = example(**_ROW)

    id: str
    partner_id: str
    loan_id: int
    stage: Stage
    ended: bool
    source: Literal["poll", "hook", "api"]
    account_no: str | None
    product_id: int | None
    amount: MoneyOut | None
    principal: MoneyOut | None
    charges: MoneyOut | None
    paid: MoneyOut
    receipts: list[str]
    transaction_id: int | None
    reason_code: str | None
    reason: str | None
    workflow_id: str
    approved_on: date | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None

    @classmethod
    def facts(cls, row: Disbursement) -> dict[str, Any]:
        return {
            **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
            "ended": row.ended_at is not None,
            "amount": MoneyOut.minor(row.amount_minor, row.currency),
            "principal": MoneyOut.minor(row.principal_minor, row.currency),
            "charges": MoneyOut.minor(row.charges_minor, row.currency),
            "paid": MoneyOut.of(Money(row.paid_minor, row.currency)),
        }

    @classmethod
    def of(cls, row: Disbursement) -> "DisbursementOut":
        return DisbursementOut.model_validate(DisbursementOut.facts(row))


class AttemptOut(Out):
    """One instruction to the provider; the phone is masked. `void`: declared never sent, and now it never can be."""

    model_config = example(
        reference="pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1", leg_id="pay_01ktv0r5m8e9a7d3c2b4x6y8z0", number=1,
        provider="daraja", state="accepted", amount={"amount": "12500.00", "currency": "KES"}, to="+2547•••••678",
        provider_reference="AG_20261121_201036b2c9e14f77a0d8", receipt=None, code=None, detail=None,
        created_at="2026-11-21T06:14:04Z", updated_at="2026-11-21T06:14:05Z",
    )  # fmt: skip

    reference: str
    leg_id: str
    number: int
    provider: str
    state: str
    amount: MoneyOut
    to: str
    provider_reference: str | None
    receipt: str | None
    code: str | None
    detail: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: PayoutAttempt) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
                "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
                "to": Msisdn(row.msisdn).masked,
            }
        )


class ChargeHeld(Out):
    """One charge that is set aside in the wallet now."""

    charge: str
    amount: MoneyOut


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


class LegOut(Out):
    """A payout as the running saga sees it."""

    leg_id: str
    state: str
    amount: MoneyOut
    to: str
    reference: str | None
    receipt: str | None
    attempts: int
    last_said: str | None

    @classmethod
    def of(cls, leg: LegStatus) -> Self:
        return cls.model_validate(leg, from_attributes=True)


class SagaNow(Out):
    """What the running saga says of itself; absent if it has ended, or did not answer in time."""

    model_config = example(
        stage="paying", waiting_for="M-Pesa's report", since="2026-11-21T06:14:05Z", legs=[], reason_code=None,
        reason=None,
    )  # fmt: skip

    stage: str
    waiting_for: str | None
    since: datetime
    legs: list[LegOut]
    reason_code: str | None
    reason: str | None

    @classmethod
    def of(cls, status: DisbursementStatus) -> Self:
        return cls(
            stage=status.stage,
            waiting_for=status.waiting_for,
            since=status.since,
            legs=[LegOut.of(leg) for leg in status.legs],
            reason_code=status.reason_code,
            reason=status.reason,
        )


class DisbursementDetail(DisbursementOut):
    """A disbursement with everything that is known of it."""

    model_config = example(
        **_ROW, attempts=[], charge_state={"state": "held", "total": {"amount": "23.00", "currency": "KES"}, "held": []},
        saga=None,
    )  # fmt: skip

    attempts: list[AttemptOut]
    charge_state: ChargesOut
    saga: SagaNow | None


class EventOut(Out):
    """One line of the timeline."""

    model_config = example(
        at="2026-11-21T06:14:04Z", tone="good", text="M-Pesa paid KES 12,500.00, receipt UKL4X7QW2D.",
        facts={"receipt": "UKL4X7QW2D"}, key="pay_…-a1:paid",
    )  # fmt: skip

    at: datetime
    tone: Literal["info", "good", "warning", "bad"]
    text: str
    facts: dict[str, Any]
    key: str

    @classmethod
    def of(cls, row: SagaEvent) -> Self:
        return cls.model_validate(row, from_attributes=True)


class Timeline(Out):
    """A disbursement's whole history, oldest first."""

    items: list[EventOut]


class ResolutionIn(Body):
    """A person's decision where the machine must not guess, with the evidence that it rests on.

    `paid` (needs the receipt) and `not_paid` end a payout in review; `posted` says that a person booked it in Fineract;
    `partial` accepts that only a part was paid.
    """

    model_config = example(
        decision="paid", evidence="Organisation portal, 21 November, line 14: completed.", receipt="UKL4X7QW2D"
    )

    decision: Literal["paid", "not_paid", "posted", "partial"]
    evidence: Prose
    reference: str | None = Field(
        default=None, strict=True, pattern=r"^[A-Za-z0-9_\-]{1,60}$", description="The attempt; by default the last"
    )
    receipt: str | None = Field(default=None, strict=True, pattern=r"^[A-Za-z0-9]{3,40}$")
    transaction_id: int | None = Field(default=None, strict=True, ge=1, le=BIGINT)
    paid_at: Moment | None = None


class WishIn(Body):
    """A note for the record."""

    model_config = example(note="the lender asks for it")

    note: Note = ""


class CommandOut(Out):
    """The saga took the command; `stage` is where it was then."""

    model_config = example(
        disbursement_id="dsb_01ktv0r5m8e9a7d3c2b4x6y8z0", stage="in_review", at="2026-11-21T06:14:05Z"
    )

    disbursement_id: str
    stage: str
    at: datetime
