"""Float purchases: priced, agreed to, confirmed with a one-time code, followed, decided."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from api.http.values import Body, Moment, MoneyOut, Out, PositiveMoney, Prose, example, id_pattern
from api.saga.schemas import AttemptOut, ChargeHeld, DecisionIn, ProposalId, SagaNow, SagaOut, StartIn
from core.ids import PARTNER
from core.money import Money
from models.messages.lending.float_purchase import FloatStage, Operator
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.saga.one_time_code import OneTimeCode

_LINES = [
    {"item": "float", "amount": {"amount": "50000.00", "currency": "KES"}},
    {"item": "bank_transfer", "amount": {"amount": "30.00", "currency": "KES"}},
    {"item": "float_processing", "amount": {"amount": "50.00", "currency": "KES"}},
]
_TOTAL = {"amount": "50080.00", "currency": "KES"}
_ROW: dict[str, Any] = {
    "id": "flt_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "stage": "awaiting_code", "status": "pending",
    "ended": False,
    "client_reference": "INV-2026-0117", "metadata": {"branch": "Thika"},
    "reason_code": None, "reason": None, "requested_by": "key_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "workflow_id": "float-purchase/flt_01ktv0r5m8e9a7d3c2b4x6y8z0", "created_at": "2026-11-21T06:14:03Z",
    "updated_at": "2026-11-21T06:14:05Z", "ended_at": None, "operator": "mpesa",
    "amount": {"amount": "50000.00", "currency": "KES"}, "lines": _LINES, "total": _TOTAL, "transfer_reference": None,
    "purchase_reference": None, "returned_reference": None,
}  # fmt: skip


class FloatQuoteRequest(Body):
    """How much float of which operator. The partner is the key's own, and is named only by keys of the house."""

    model_config = example(operator="mpesa", amount={"amount": "50000.00", "currency": "KES"})

    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    operator: Operator
    amount: PositiveMoney


class FloatNew(FloatQuoteRequest, StartIn):
    """A purchase at the price that was shown."""

    model_config = example(operator="mpesa", amount={"amount": "50000.00", "currency": "KES"}, expected_total=_TOTAL)

    expected_total: PositiveMoney = Field(description="The quote's total; if the price has changed since, 409")


class CostOut(Out):
    """One line of the price. The float itself is a line too."""

    item: Literal["float", "bank_transfer", "float_processing"]
    amount: MoneyOut

    @classmethod
    def lines(cls, costs: list[dict[str, Any]], currency: str) -> list[Self]:
        return [cls(item=line["item"], amount=MoneyOut.of(Money(line["amount_minor"], currency))) for line in costs]


class FloatQuote(Out):
    """What a purchase would cost now. Nothing is stored or held; `enough`: the wallet could pay it."""

    model_config = example(
        operator="mpesa", amount={"amount": "50000.00", "currency": "KES"}, lines=_LINES, total=_TOTAL,
        available={"amount": "61000.00", "currency": "KES"}, enough=True,
    )  # fmt: skip

    operator: Operator
    amount: MoneyOut
    lines: list[CostOut]
    total: MoneyOut
    available: MoneyOut
    enough: bool


class FloatOut(SagaOut):
    """A purchase as its row tells. The references are the bank's: of the transfer to the B2C account, of the float, and of
    the transfer back if no float was bought."""

    model_config = example(**_ROW)

    stage: FloatStage
    operator: Operator
    amount: MoneyOut
    lines: list[CostOut]
    total: MoneyOut
    transfer_reference: str | None
    purchase_reference: str | None
    returned_reference: str | None

    @classmethod
    def facts(cls, row: FloatPurchase) -> dict[str, Any]:
        return {
            **cls.plain(row),
            "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
            "lines": CostOut.lines(row.costs, row.currency),
            "total": MoneyOut.of(Money(row.total_minor, row.currency)),
        }

    @classmethod
    def of(cls, row: FloatPurchase) -> Self:
        return cls.model_validate(cls.facts(row))


class CodeState(Out):
    """The newest one-time code that was sent; the code itself is known to nobody but its readers."""

    model_config = example(number=1, sent_at="2026-11-21T06:14:05Z", expires_at="2026-11-21T06:24:05Z", tries_left=5)

    number: int
    sent_at: datetime
    expires_at: datetime
    tries_left: int
    given_at: datetime | None

    @classmethod
    def of(cls, row: OneTimeCode) -> Self:
        return cls(
            number=row.number,
            sent_at=row.created_at,
            expires_at=row.expires_at,
            tries_left=row.max_tries - row.tries,
            given_at=row.used_at,
        )


class FloatDetail(FloatOut):
    """A purchase with everything that is known of it; `held` is what the wallet sets aside for it now."""

    model_config = example(**_ROW, code=None, held=[], attempts=[], saga=None)

    code: CodeState | None
    held: list[ChargeHeld]
    attempts: list[AttemptOut]
    saga: SagaNow | None


class CodeIn(Body):
    """The one-time code, as the message shows it."""

    model_config = example(code="042917")

    code: str = Field(strict=True, pattern=r"^[0-9]{6}$", repr=False)


class FloatResolution(DecisionIn):
    """What became of a movement at the bank, with the evidence that it rests on. `paid` (needs the bank's transaction) and
    `not_paid` each wait for another person's `approve` or `decline`."""

    model_config = example(decision="paid", evidence="Statement of 21 November, line 14.", receipt="FT26325X7K")

    decision: Literal["paid", "not_paid", "approve", "decline"]
    evidence: Prose
    reference: str | None = Field(
        default=None,
        strict=True,
        pattern=r"^[A-Za-z0-9_\-]{1,60}$",
        description="The attempt that is meant, so that no other is decided; by default the last",
    )
    receipt: str | None = Field(
        default=None, strict=True, pattern=r"^[A-Za-z0-9._/\-]{3,40}$", description="The bank's transaction id"
    )
    paid_at: Moment | None = None
    proposal: ProposalId | None = None
