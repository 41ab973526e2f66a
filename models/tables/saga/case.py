"""What people must decide."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime
from models.tables.searched import Searched


class Case(SQLModel, table=True):
    """Something that a person must decide. One open case per key; its evidence says why, `actions` what its saga would
    take as a decision, `owner` the person who looks at it."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        Index("uq_cases_open_key", "key", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_cases_workflow_id", "workflow_id"),
        Index("ix_cases_open_kind", "kind", "id", postgresql_where=text("state = 'open'")),
    )

    search: ClassVar[Searched] = Searched(saga=None, kind="case", prefix="cas", at="opened_at")

    id: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    summary: str = Field(sa_column=Column(Text, nullable=False))
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    actions: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    owner: str | None = Field(default=None, sa_column=Column(Text))
    state: str = Field(sa_column=Column(Text, nullable=False))
    opened_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    closed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    closed_by: str | None = Field(default=None, sa_column=Column(Text))
    resolution: str | None = Field(default=None, sa_column=Column(Text))
