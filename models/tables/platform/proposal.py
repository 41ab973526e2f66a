"""What one person asks for and a second one must agree to."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Proposal(SQLModel, table=True):
    """An act that one person asks for and that happens only once a second person agrees. Time never agrees.

    `proposed_by_key` and `decided_by_key` are keys or browser sessions. The partial unique index lets a subject have one open
    proposal of an act at a time.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'agreed', 'declined', 'expired')", name="state"),
        CheckConstraint("(state IN ('agreed', 'declined')) = (decided_by_key IS NOT NULL)", name="decided"),
        Index("uq_proposals_open", "act", "subject", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_proposals_partner_id_id", "partner_id", "id"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    act: str = Field(sa_column=Column(Text, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    evidence: str = Field(sa_column=Column(Text, nullable=False))
    proposed_by_key: str = Field(sa_column=Column(Text, nullable=False))
    proposed_by: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    people: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    decided_by_key: str | None = Field(default=None, sa_column=Column(Text))
    decided_by: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("people.id")))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    note: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
