"""Subscriptions to reports, as callers give and see them."""

import datetime as dt
from datetime import datetime
from typing import Self

from pydantic import Field

from api.http.values import Body, Out, example, id_pattern
from api.partners.partners_schemas import Email
from core.ids import PARTNER
from models.tables.platform.report_subscription import ReportSubscription
from reports.shapes import Kind


class ReportSubscriptionNew(Body):
    """Which report, to whom, and from which hour of the day on."""

    model_config = example(kind="daily", email="grace@lender.example", hour=7)

    kind: Kind
    email: Email
    hour: int = Field(default=7, strict=True, ge=0, le=23, description="Of the time zone that the report is in")
    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))


class ReportSubscriptionOut(Out):
    """`last_day` is the newest day that was sent; `partner_id` null: of all partners."""

    model_config = example(
        id="rsb_01ktv0r5m8e9a7d3c2b4x6y8z0", partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", kind="daily",
        email="grace@lender.example", hour=7, last_day="2026-11-20", created_at="2026-11-01T06:14:03Z",
    )  # fmt: skip

    id: str
    partner_id: str | None
    kind: str
    email: str
    hour: int
    last_day: dt.date | None
    created_at: datetime

    @classmethod
    def of(cls, row: ReportSubscription) -> Self:
        return cls.model_validate(row, from_attributes=True)
