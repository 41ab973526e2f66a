"""The timelines of sagas."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class SagaEvent(SQLModel, table=True):
    """One line of a saga's timeline. `key` makes writing it again harmless; append-only by trigger."""

    __tablename__ = "saga_events"
    __table_args__ = (
        UniqueConstraint("workflow_id", "key"),
        CheckConstraint("tone IN ('info', 'good', 'warning', 'bad')", name="tone"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    workflow_id: str = Field(sa_column=Column(Text, nullable=False))
    key: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    tone: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
