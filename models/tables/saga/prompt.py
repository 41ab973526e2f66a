"""What we prompted payers for."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime
from models.tables.searched import Searched, Term, found_by


class Prompt(SQLModel, table=True):
    """One prompt to a payer's phone, written and committed before it is sent. `void` is a fence, as for payouts. The
    partial unique index lets a leg have one prompt that is not known to have failed: never a second one after a lost
    answer. `next_query_at` as of payouts."""

    __tablename__ = "prompts"
    __table_args__ = (
        Index(
            "uq_prompts_living", "leg_id", unique=True, postgresql_where=text("state NOT IN ('failed', 'void')"),
        ),
        Index("ix_prompts_workflow_id", "workflow_id"),
        Index("ix_prompts_leg_id", "leg_id"),
        found_by("prompts", "provider_reference"),
        CheckConstraint("state IN ('sending', 'not_sent', 'asked', 'unknown', 'paid', 'failed', 'void')", name="state"),
        CheckConstraint("amount_minor > 0", name="amount"),
    )  # fmt: skip

    search: ClassVar[Searched] = Searched(
        by=(
            Term("reference", "reference", "lower"), Term("provider_reference", "reference", "any"),
            Term("msisdn", "phone"),
        ),
        prefix="ask", key="leg_id",
    )  # fmt: skip

    reference: str = Field(sa_type=Text, primary_key=True)
    leg_id: str = Field(sa_column=Column(Text, nullable=False))
    workflow_id: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    msisdn: str | None = Field(sa_column=Column(Text))  # erased some time after its end
    payer_reference: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    provider_reference: str | None = Field(default=None, sa_column=Column(Text))
    code: str | None = Field(default=None, sa_column=Column(Text))
    detail: str | None = Field(default=None, sa_column=Column(Text))
    send_by: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    next_query_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
