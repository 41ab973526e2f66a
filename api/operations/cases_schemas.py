"""The case desk."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import Field

from api.http.values import BIGINT, Body, Moment, Out, PositiveMoney, Prose, ShortLine, example
from api.operations.case_facts import facts_of
from api.saga.links import LINK, SagaLink
from api.saga.schemas import EventOut, ProposalId, SagaNow
from core.desk_files import RECEIPT
from models.messages.saga.cases import KINDS, Action
from models.messages.saga.status import SagaStatus
from models.tables.saga.case import Case
from models.tables.saga.saga_event import SagaEvent
from models.tables.saga.saga_row import SagaRow

_CASE: dict[str, Any] = {
    "id": "cas_01ktv0r5m8e9a7d3c2b4x6y8z0", "kind": "payout_unknown", "means": KINDS["payout_unknown"].means,
    "state": "open", "owner": None, "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "workflow_id": "loan-disbursement/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/91",
    "summary": "M-Pesa never said what became of the payout.",
    "evidence": {"reference": "pay_…-a1", "amount": "KES 12,500.00", "to": "+2547•••••678"},
    "amount": "KES 12,500.00", "receipt": None, "phone": "+2547•••••678", "account": None, "reference": "pay_…-a1",
    "actions": ["paid", "not_paid", "approve", "decline", "retry"], "opened_at": "2026-11-21T14:14:05Z",
    "closed_at": None,
    "closed_by": None, "resolution": None,
}  # fmt: skip


class CaseOut(Out):
    """Something that a person must decide. `means` explains its kind; `actions` is what its saga takes as a decision, and
    empty where nobody waits for one: then a person looks, and closes it with a reason."""

    model_config = example(**_CASE)

    id: str
    kind: str
    means: str
    state: Literal["open", "closed"]
    owner: str | None = Field(description="The person who looks at it")
    partner_id: str | None
    workflow_id: str | None
    summary: str
    evidence: dict[str, Any]
    amount: str | None = Field(description="This and the next four are what its evidence names, to tell cases apart")
    receipt: str | None
    phone: str | None = Field(description="Masked")
    account: str | None = Field(description="The customer's account, or what the payer typed")
    reference: str | None = Field(description="Ours, or the provider's")
    actions: list[str]
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None

    @classmethod
    def facts(cls, row: Case) -> dict[str, Any]:
        known = KINDS.get(row.kind)
        return {name: getattr(row, name) for name in CaseOut.model_fields if hasattr(row, name)} | {
            "means": known.means if known else row.summary,
            **facts_of(row.evidence),
        }

    @classmethod
    def of(cls, row: Case) -> "CaseOut":
        return CaseOut.model_validate(CaseOut.facts(row))


class CaseDetail(CaseOut):
    """A case with its saga: where it stands, what it says of itself now, and its whole timeline, oldest first."""

    model_config = example(**_CASE, saga=LINK, now=None, events=[])

    saga: SagaLink | None
    now: SagaNow | None
    events: list[EventOut]

    @classmethod
    def whole(cls, row: Case, saga: SagaRow | None, status: SagaStatus | None, events: list[SagaEvent]) -> Self:
        return cls.model_validate(
            {
                **CaseOut.facts(row),
                "saga": SagaLink.of(saga) if saga else None,
                "now": SagaNow.of(status) if status else None,
                "events": [EventOut.of(event) for event in events],
            }
        )


class CaseClose(Body):
    """Why it needs nobody any more."""

    model_config = example(reason="Checked on the portal: one payment only.")

    reason: Prose


class CaseAllocation(Body):
    """A part of a payment, for one account of a customer."""

    model_config = example(kind="loan", account="000000091", amount={"amount": "1000.00", "currency": "KES"})

    kind: Literal["loan", "savings"]
    account: ShortLine = Field(max_length=50)
    amount: PositiveMoney
    accept_overpayment: bool = Field(default=False, strict=True)


class CaseAct(Body):
    """A person's decision where the machine must not guess, or the command to go on at once (`retry`).

    Every decision needs its evidence. `paid` needs the receipt and may tell when; `posted` may name Fineract's
    transaction; `allocate` names a customer's accounts, and none for a credit to the wallet. `approve` and `decline`
    answer another person's proposal.
    """

    model_config = example(
        action="paid", evidence="Organisation portal, 21 November, line 14: completed.", receipt="UKL4X7QW2D"
    )

    action: Action
    evidence: Prose | None = None
    receipt: str | None = Field(default=None, strict=True, pattern=RECEIPT)
    transaction_id: int | None = Field(default=None, strict=True, ge=1, le=BIGINT)
    paid_at: Moment | None = None
    proposal: ProposalId | None = None
    allocations: list[CaseAllocation] = Field(default=[], max_length=20)


class CaseActed(Out):
    """The saga took it; `stage` is where it was then. The case closes when the saga goes on."""

    model_config = example(case_id="cas_01ktv0r5m8e9a7d3c2b4x6y8z0", stage="in_review", at="2026-11-21T06:14:05Z")

    case_id: str
    stage: str
    at: datetime
