"""Money into and out of partners' prepaid wallets: top-ups, float purchases, their one-time codes."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime
from models.tables.sagas import SagaRow

TOP_UP_STAGES = (
    "requested", "asking", "waiting_money", "in_review", "unallocated", "approval", "crediting", "completed", "returned",
    "failed", "expired", "withdrawn",
)  # fmt: skip
FLOAT_STAGES = (
    "requested", "awaiting_code", "transferring", "buying", "returning", "in_review", "approval", "settling", "completed",
    "refused", "expired", "withdrawn", "failed",
)  # fmt: skip


class TopUp(SagaRow, table=True):
    """One top-up of a wallet. `reference` is what the payer writes on the transfer; the unique `incoming_id` credits one
    bank transaction once. `admin`: a person booked it, and no workflow stands behind it."""

    __tablename__ = "top_ups"
    __table_args__ = (
        CheckConstraint(f"stage IN {TOP_UP_STAGES}", name="stage"),
        CheckConstraint("method IN ('bank_transfer', 'prompt', 'unannounced', 'admin')", name="method"),
        Index("uq_top_ups_incoming_id", "incoming_id", unique=True, postgresql_where=text("incoming_id IS NOT NULL")),
        Index("uq_top_ups_reference", "reference", unique=True, postgresql_where=text("reference IS NOT NULL")),
        Index("ix_top_ups_partner_id_id", "partner_id", "id"),
        Index("ix_top_ups_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )

    method: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))  # wanted; what arrived is credited
    reference: str | None = Field(default=None, sa_column=Column(Text))
    msisdn: str | None = Field(default=None, sa_column=Column(Text))
    incoming_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("incoming_payments.id")))
    bank_reference: str | None = Field(default=None, sa_column=Column(Text))
    credited_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    policy: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


class FloatPurchase(SagaRow, table=True):
    """One purchase of mobile-money float from a wallet. `costs` is the breakdown that was shown and agreed to."""

    __tablename__ = "float_purchases"
    __table_args__ = (
        CheckConstraint(f"stage IN {FLOAT_STAGES}", name="stage"),
        CheckConstraint("operator IN ('mpesa', 'airtel', 'mtn')", name="operator"),
        CheckConstraint("amount_minor > 0 AND total_minor >= amount_minor", name="amounts"),
        Index("ix_float_purchases_partner_id_id", "partner_id", "id"),
        Index("ix_float_purchases_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )

    operator: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    total_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    costs: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    transfer_reference: str | None = Field(default=None, sa_column=Column(Text))
    purchase_reference: str | None = Field(default=None, sa_column=Column(Text))
    returned_reference: str | None = Field(default=None, sa_column=Column(Text))
    policy: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


class OneTimeCode(SQLModel, table=True):
    """A one-time code for one purpose, of which only a keyed hash is kept. Bound to subject and amount by the hash; one
    living code per subject."""

    __tablename__ = "one_time_codes"
    __table_args__ = (
        CheckConstraint("tries >= 0 AND tries <= max_tries", name="tries"),
        Index("uq_one_time_codes_subject_number", "subject", "number", unique=True),
        Index("ix_one_time_codes_living", "subject", postgresql_where=text("used_at IS NULL")),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))
    hash: str = Field(sa_column=Column(Text, nullable=False))
    tries: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    max_tries: int = Field(sa_column=Column(Integer, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
