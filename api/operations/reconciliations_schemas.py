"""Comparisons of days, as callers ask for and see them."""

import datetime as dt
from datetime import datetime
from typing import Literal, Self

from pydantic import ConfigDict, Field

from api.http.values import Body, Out, example, id_pattern
from core.ids import PARTNER
from models.tables.platform.reconciliation import Reconciliation, ReconciliationDifference

_PART = {"part": "loans", "state": "checked", "seen": 42, "different": 1, "detail": ""}
_ROW = {
    "id": "rcn_01ktv0r5m8e9a7d3c2b4x6y8z0", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "date": "2026-11-21",
    "state": "done", "runs": 1, "parts": [_PART], "started_at": "2026-11-22T00:20:01Z",
    "finished_at": "2026-11-22T00:20:44Z",
}  # fmt: skip
_DIFFERENCE = {
    "key": "reconciliation:dsb_01ktv0r5m8e9a7d3c2b4x6y8z0:missing", "partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
    "part": "loans", "kind": "booking_missing", "date": "2026-11-21", "state": "open",
    "summary": "Loan 000000091: KES 12,500.00 was paid, and Fineract shows no disbursement of it.",
    "evidence": {"receipts": "UKL4X7QW2D"}, "workflow_id": "loan-disbursement/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/91",
    "found_at": "2026-11-22T00:20:30Z", "seen_at": "2026-11-22T00:20:30Z", "gone_at": None,
}  # fmt: skip


class ReconciliationNew(Body):
    """Which day. The partner is the key's own, and is named only by keys of the house."""

    model_config = ConfigDict(**example(date="2026-11-21"), populate_by_name=True)

    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    day: dt.date | None = Field(
        default=None,
        alias="date",
        ge=dt.date(2000, 1, 1),
        description="Of the partner's time zone; by default yesterday",
    )


class ReconciliationAsked(Out):
    """It is compared now: the list of that day shows it, as its run of this number."""

    model_config = example(
        partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", date="2026-11-21",
        run=1, workflow_id="daily-reconciliation/prt_01ktv0r5m8e9a7d3c2b4x6y8z0/2026-11-21",
    )  # fmt: skip

    partner_id: str
    date: dt.date
    run: int
    workflow_id: str


class PartOut(Out):
    """What was compared: `loans` (M-Pesa, our rows, Fineract), `payments` (customers' payments in Fineract), `mpesa` (its
    list and its reports), `bank` (statement and balances). `not_checked`: the other system did not say, and `detail` why;
    `absent`: there is no such connection."""

    model_config = example(**_PART)

    part: Literal["loans", "payments", "mpesa", "bank"]
    state: Literal["checked", "not_checked", "absent"]
    seen: int
    different: int
    detail: str


class ReconciliationOut(Out):
    """A partner's day as it was compared last; `partly`: a part of it could not be checked, and is tried again."""

    model_config = example(**_ROW)

    id: str
    partner_id: str
    date: dt.date
    state: Literal["running", "done", "partly"]
    runs: int
    parts: list[PartOut]
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Reconciliation) -> "ReconciliationOut":
        return ReconciliationOut.model_validate(
            {
                **{
                    name: getattr(row, name)
                    for name in ("id", "partner_id", "state", "runs", "started_at", "finished_at")
                },
                "date": row.day,
                "parts": [{"part": part, **told} for part, told in row.parts.items()],
            }
        )


class DifferenceOut(Out):
    """What is told differently by two sides, since `found_at`; `seen_at` is when it was found last."""

    model_config = example(**_DIFFERENCE)

    key: str
    partner_id: str
    part: str
    kind: str
    date: dt.date
    state: Literal["open", "gone"]
    summary: str
    evidence: dict[str, str]
    workflow_id: str | None
    found_at: datetime
    seen_at: datetime
    gone_at: datetime | None

    @classmethod
    def of(cls, row: ReconciliationDifference) -> Self:
        facts = {name: getattr(row, name) for name in cls.model_fields if name != "date"}
        return cls.model_validate({**facts, "date": row.day})


class ReconciliationDetail(ReconciliationOut):
    """A comparison with what differed on its day, and what of earlier days still does."""

    model_config = example(**_ROW, differences=[_DIFFERENCE])

    differences: list[DifferenceOut]
