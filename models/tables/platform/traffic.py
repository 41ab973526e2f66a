"""What comes in and goes out beside the money: webhooks, calls to providers, messages to people."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class InboxItem(SQLModel, table=True):
    """A provider's message, stored before it is answered. `delivered_at` is set when its saga has taken it, not when it came.

    It comes as `unread`: `raw_sealed` is what came, whole (`inbound/sealing.py`), `endpoint` and `connection_id` say where,
    `raw_digest` tells a copy. Once it is read it has its kind, its report, and a `body` without secrets and persons for
    whoever looks. `workflow_id` is there where the address names a saga. An announced payment has none: its delivery finds
    the saga that waits for it, or starts one.
    """

    __tablename__ = "webhook_inbox"
    __table_args__ = (
        UniqueConstraint("provider", "external_id"),
        Index("ix_webhook_inbox_due", "next_attempt_at", postgresql_where=text("delivered_at IS NULL")),
        Index("uq_webhook_inbox_raw_digest", "raw_digest", unique=True),
        Index("ix_webhook_inbox_received_at", "received_at", postgresql_using="brin"),
        Index("ix_webhook_inbox_forged", "connection_id", "id", postgresql_where=text("outcome = 'forged'")),
        CheckConstraint(
            "outcome IN ('waiting', 'taken', 'refused', 'redundant', 'contradiction', 'unclaimed', 'unreadable', "
            "'forged', 'copy')",
            name="outcome",
        ),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    provider: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    external_id: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    reference: str = Field(sa_column=Column(Text, nullable=False))
    body: Any = Field(sa_column=Column(JSONB, nullable=False))
    report: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    source: str | None = Field(default=None, sa_column=Column(Text))
    received_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    copies: int = Field(default=1, sa_column=Column(Integer, nullable=False))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    next_attempt_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    delivered_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    outcome: str = Field(default="waiting", sa_column=Column(Text, nullable=False))
    endpoint: str | None = Field(default=None, sa_column=Column(Text))
    connection_id: str | None = Field(default=None, sa_column=Column(Text))
    raw_sealed: str | None = Field(default=None, sa_column=Column(Text))
    raw_digest: str | None = Field(default=None, sa_column=Column(Text))


class ProviderExchange(SQLModel, table=True):
    """One call to a provider, sanitised."""

    __tablename__ = "provider_exchanges"
    __table_args__ = (
        Index("ix_provider_exchanges_workflow_id", "workflow_id"),
        Index("ix_provider_exchanges_started_at", "started_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    operation: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    reference: str | None = Field(default=None, sa_column=Column(Text))
    method: str = Field(sa_column=Column(Text, nullable=False))
    url: str = Field(sa_column=Column(Text, nullable=False))
    request: Any = Field(sa_column=Column(JSONB))
    response: Any = Field(sa_column=Column(JSONB))
    status_code: int | None = Field(default=None, sa_column=Column(Integer))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    duration_ms: int = Field(sa_column=Column(Integer, nullable=False))
    started_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Notification(SQLModel, table=True):
    """A message to a person, written in the transaction of the event it tells of (an outbox), sent afterwards.

    `sealed`: the text holds a one-time code; it is stored encrypted and wiped once it was sent or came too late.
    """

    __tablename__ = "notifications"
    __table_args__ = (
        CheckConstraint("channel IN ('sms', 'email')", name="channel"),
        CheckConstraint("state IN ('pending', 'sent', 'failed', 'unclear', 'expired')", name="state"),
        Index("ix_notifications_due", "next_attempt_at", postgresql_where=text("state = 'pending'")),
        Index("ix_notifications_workflow_id", "workflow_id"),
        Index("ix_notifications_created_at", "created_at"),
        Index(
            "ix_notifications_unsent",
            "created_at",
            "id",
            postgresql_where=text("state IN ('failed', 'unclear') OR delivery = 'failed'"),
        ),
        Index("ix_notifications_message_id", "gateway", "message_id", postgresql_where=text("message_id IS NOT NULL")),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    event: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    channel: str = Field(sa_column=Column(Text, nullable=False))
    recipient: str = Field(sa_column=Column(Text, nullable=False))
    subject: str | None = Field(default=None, sa_column=Column(Text))
    text: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(default="pending", sa_column=Column(Text, nullable=False))
    gateway: str | None = Field(default=None, sa_column=Column(Text))
    message_id: str | None = Field(default=None, sa_column=Column(Text))
    tried: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    next_attempt_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    sent_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    delivery: str | None = Field(default=None, sa_column=Column(Text))
    delivery_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    sealed: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    urgent: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    expires_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    segments: int | None = Field(default=None, sa_column=Column(Integer))
    cost: str | None = Field(default=None, sa_column=Column(Text))
    last_error: str | None = Field(default=None, sa_column=Column(Text))
