"""What people decided: on sagas (decisions) and with one another (proposals), and which one-time codes they got wrong."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Decision(SQLModel, table=True):
    """What one person decided about one question of one saga. Append-only by trigger, and written only in the transaction
    that recorded the authenticated call: a saga believes this row and nothing that a message says.

    `about` is the question that it answers: an attempt's reference, a stage of the saga, or the proposal (another
    decision's id) that it approves or declines. `people` are those behind the key that was used.
    """

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_workflow_id", "workflow_id"),)

    id: str = Field(sa_type=Text, primary_key=True)
    workflow_id: str = Field(sa_column=Column(Text, nullable=False))
    about: str = Field(sa_column=Column(Text, nullable=False))
    decision: str = Field(sa_column=Column(Text, nullable=False))
    facts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    evidence: str = Field(sa_column=Column(Text, nullable=False))
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    key_id: str = Field(sa_column=Column(Text, ForeignKey("api_keys.id"), nullable=False))
    people: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Proposal(SQLModel, table=True):
    """An act that one person wishes and that happens only once a second person agrees. Time never agrees.

    The partial unique index lets a subject have one open proposal of an act at a time.
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
    proposed_by_key: str = Field(sa_column=Column(Text, ForeignKey("api_keys.id"), nullable=False))
    proposed_by: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    people: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    decided_by_key: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("api_keys.id")))
    decided_by: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("people.id")))
    decided_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    note: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class WrongCode(SQLModel, table=True):
    """One wrong try of a one-time code, by whom and for which partner: guesses are counted across purchases."""

    __tablename__ = "wrong_codes"
    __table_args__ = (
        Index("ix_wrong_codes_partner_id_at", "partner_id", "at"),
        Index("ix_wrong_codes_person_id_at", "person_id", "at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
