"""One command for many sagas, and what each of them said to it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class BulkAction(SQLModel, table=True):
    """What was asked for. `kind` is the name of a kind of saga; `partner_id` is the asker's (None for the house's);
    `filters` are those by which the items were chosen, None if they were named."""

    __tablename__ = "bulk_actions"
    __table_args__ = (
        CheckConstraint("command IN ('retry', 'cancel')", name="command"),
        CheckConstraint("state IN ('requested', 'running', 'stopping', 'done', 'stopped')", name="state"),
        CheckConstraint("(ended_at IS NULL) = (state IN ('requested', 'running', 'stopping'))", name="ended"),
        CheckConstraint("total BETWEEN 1 AND 500", name="total"),
        UniqueConstraint("requested_via", "form_key"),
        Index("ix_bulk_actions_partner_id", "partner_id", "id"),
        Index("ix_bulk_actions_living", "created_at", postgresql_where=text("ended_at IS NULL")),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    command: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    filters: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    total: int = Field(sa_column=Column(Integer, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    requested_via: str = Field(sa_column=Column(Text, nullable=False))
    # Of the form that was sent in the console: sent twice, it is one action.
    form_key: str | None = Field(default=None, sa_column=Column(Text))
    stopped_via: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class BulkItem(SQLModel, table=True):
    """One saga of a bulk action. `waiting`: not yet; `sending`: recorded, and perhaps sent; the others are results:
    `unanswered` may have been taken, `skipped` was never sent because somebody stopped the action."""

    __tablename__ = "bulk_items"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'sending', 'taken', 'refused', 'unanswered', 'skipped')", name="state"
        ),
        UniqueConstraint("bulk_id", "saga_id"),
    )  # fmt: skip

    bulk_id: str = Field(sa_column=Column(Text, ForeignKey("bulk_actions.id"), primary_key=True))
    ordinal: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    saga_id: str = Field(sa_column=Column(Text, nullable=False))
    # None if nobody whom the asker may see has this id.
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    state: str = Field(sa_column=Column(Text, nullable=False))
    tries: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    stage: str | None = Field(default=None, sa_column=Column(Text))
    code: str | None = Field(default=None, sa_column=Column(Text))
    detail: str | None = Field(default=None, sa_column=Column(Text))
    at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
