"""The case desk."""

from datetime import datetime
from typing import Any, Literal, Self

from api.schemas.values import Body, Out, Prose, example
from models.tables.disbursements import Case


class CaseOut(Out):
    """Something that a person must decide."""

    model_config = example(
        id="cas_01ktv0r5m8e9a7d3c2b4x6y8z0", kind="payout_unknown", state="open",
        partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        workflow_id="loan-disbursement/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/91",
        summary="M-Pesa never said what became of the payout.", evidence={"reference": "pay_…-a1"},
        opened_at="2026-11-21T14:14:05Z", closed_at=None, closed_by=None, resolution=None,
    )  # fmt: skip

    id: str
    kind: str
    state: Literal["open", "closed"]
    partner_id: str | None
    workflow_id: str | None
    summary: str
    evidence: dict[str, Any]
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None

    @classmethod
    def of(cls, row: Case) -> Self:
        return cls.model_validate(row, from_attributes=True)


class CaseClose(Body):
    """Why it needs nobody any more."""

    model_config = example(reason="Checked on the portal: one payment only.")

    reason: Prose
