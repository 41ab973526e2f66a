"""The line of sagas that wait for their partner's wallet."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class FundsWait(SQLModel, table=True):
    """One saga's place in the line before an account of the ledger, until it has what it asked for or leaves.

    `asked_at` is when the saga was requested, so a saga that leaves and comes back stands where it stood. Once it is
    granted, a hold keeps the money for this saga (docs/adr/0024). `told_at` and `tellings` say when the saga
    last heard of it and how often.
    """

    __tablename__ = "funds_waits"
    __table_args__ = (
        Index(
            "ix_funds_waits_line", "account_id", "asked_at", "id",
            postgresql_where=text("granted_at IS NULL"),
        ),
        Index("ix_funds_waits_least", "account_id", "needed_minor", postgresql_where=text("granted_at IS NULL")),
        Index("ix_funds_waits_granted", "granted_at", "asked_at", postgresql_where=text("granted_at IS NOT NULL")),
        CheckConstraint("needed_minor > 0", name="needed"),
    )  # fmt: skip

    id: str = Field(sa_type=Text, primary_key=True)
    workflow_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    account_id: str = Field(sa_column=Column(Text, nullable=False))
    needed_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    asked_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    granted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    told_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    tellings: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
