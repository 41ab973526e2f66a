"""What was compared with the outside, day by day, and what was found to differ."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Reconciliation(SQLModel, table=True):
    """One partner's day, as it was compared last. `parts` says of each part whether it was checked, how much was looked at
    and how much differed; `partly`: some of it could not be asked for."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done', 'partly')", name="state"),
        UniqueConstraint("partner_id", "day"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    day: date = Field(sa_column=Column(Date, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    runs: int = Field(sa_column=Column(Integer, nullable=False))
    parts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    started_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ReconciliationDifference(SQLModel, table=True):
    """One difference, found on `day` first. It is a case from when it was found until it is gone, whatever a person says of
    it meanwhile; one that comes back is opened anew."""

    __tablename__ = "reconciliation_differences"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'gone')", name="state"),
        Index("ix_reconciliation_differences_open", "partner_id", "part", postgresql_where=text("state = 'open'")),
        Index("ix_reconciliation_differences_day", "partner_id", "day"),
    )

    key: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    part: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    day: date = Field(sa_column=Column(Date, nullable=False))
    summary: str = Field(sa_column=Column(Text, nullable=False))
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    found_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    seen_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    gone_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ReconciliationBaseline(SQLModel, table=True):
    """How much more a real account held than our books when the two were compared first: what lay there before us."""

    __tablename__ = "reconciliation_baselines"

    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), primary_key=True))
    account: str = Field(sa_column=Column(Text, primary_key=True))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    offset_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    day: date = Field(sa_column=Column(Date, nullable=False))
