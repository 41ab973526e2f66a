"""Who gets which report by email."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Column, Date, ForeignKey, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class ReportSubscription(SQLModel, table=True):
    """Yesterday's report of a kind, every day at an hour, to one address. `partner_id` NULL: of all partners, for the house.
    `last_day` is the newest day that was sent, so that each is sent once."""

    __tablename__ = "report_subscriptions"
    __table_args__ = (
        CheckConstraint("kind IN ('daily', 'partner', 'financial', 'sms')", name="kind"),
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
        UniqueConstraint("partner_id", "kind", "email", postgresql_nulls_not_distinct=True),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    email: str = Field(sa_column=Column(Text, nullable=False))
    hour: int = Field(sa_column=Column(Integer, nullable=False))
    last_day: date | None = Field(default=None, sa_column=Column(Date))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
