"""What people decided about sagas."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Decision(SQLModel, table=True):
    """What one person decided about one question of one saga. Append-only by trigger, and written only in the transaction
    that recorded the authenticated call: a saga believes this row and nothing that a message says.

    `about` is the question that it answers: an attempt's reference, a stage of the saga, or the proposal (another
    decision's id) that it approves or declines. `via` is the key, or the browser session, that was used; `people` are
    those behind it.
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
    via: str = Field(sa_column=Column(Text, nullable=False))
    people: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
