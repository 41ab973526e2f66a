"""Money that comes in: what was announced, what we asked payers for, customers' payments on their accounts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime
from models.tables.sagas import SagaRow

COLLECTION_STAGES = (
    "requested", "asking", "in_review", "approval", "identifying", "waiting_account", "posting", "post_review",
    "settling", "completed", "merged", "returned", "failed", "expired", "withdrawn",
)  # fmt: skip
UNCOLLECTED_ENDS = ("failed", "expired", "withdrawn")


class IncomingPayment(SQLModel, table=True):
    """One payment that a provider says has come in, however many channels announce it (P1 for money in).

    `claimed_by` is the one saga that may book it: set once, by whoever is first, and the referee between an STK callback
    and a paybill confirmation of the same payment. `announced` lists the channels in the order they spoke. `source` is the
    outside account that it came in on, as it is claimed: one payment on it belongs to one partner.
    """

    __tablename__ = "incoming_payments"
    __table_args__ = (
        UniqueConstraint("partner_id", "provider", "external_id"),
        UniqueConstraint("provider", "source", "external_id"),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("provider IN ('daraja', 'bank')", name="provider"),
        Index("ix_incoming_payments_claimed_by", "claimed_by"),
        Index("ix_incoming_payments_unclaimed", "created_at", postgresql_where=text("claimed_by IS NULL")),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    external_id: str = Field(sa_column=Column(Text, nullable=False))
    source: str | None = Field(default=None, sa_column=Column(Text))
    account: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    reference: str = Field(sa_column=Column(Text, nullable=False))
    payer_name: str = Field(sa_column=Column(Text, nullable=False))
    payer_phone: str | None = Field(default=None, sa_column=Column(Text))
    happened_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    announced: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    claimed_by: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Prompt(SQLModel, table=True):
    """One prompt to a payer's phone, written and committed before it is sent. `void` is a fence, as for payouts. The
    partial unique index lets a leg have one prompt that is not known to have failed: never a second one after a lost
    answer."""

    __tablename__ = "prompts"
    __table_args__ = (
        Index(
            "uq_prompts_living", "leg_id", unique=True, postgresql_where=text("state NOT IN ('failed', 'void')"),
        ),
        Index("ix_prompts_workflow_id", "workflow_id"),
        CheckConstraint("state IN ('sending', 'not_sent', 'asked', 'unknown', 'paid', 'failed', 'void')", name="state"),
        CheckConstraint("amount_minor > 0", name="amount"),
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
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Collection(SagaRow, table=True):
    """One customer's payment to the lender: asked for by a prompt, or paid by paybill on the customer's own initiative.

    The unique `incoming_id` makes one payment one saga; `payer_reference` is what the prompt shows and what a confirmation
    of it carries.
    """

    __tablename__ = "collections"
    __table_args__ = (
        CheckConstraint(f"stage IN {COLLECTION_STAGES}", name="stage"),
        CheckConstraint("channel IN ('prompt', 'paybill')", name="channel"),
        Index("uq_collections_incoming_id", "incoming_id", unique=True, postgresql_where=text("incoming_id IS NOT NULL")),
        Index(
            "uq_collections_payer_reference", "payer_reference", unique=True,
            postgresql_where=text("payer_reference IS NOT NULL"),
        ),
        Index("ix_collections_partner_id_id", "partner_id", "id"),
        Index("ix_collections_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    channel: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    account_ref: str = Field(sa_column=Column(Text, nullable=False))  # as asked for, or as the customer typed it
    msisdn: str | None = Field(default=None, sa_column=Column(Text))
    payer_reference: str | None = Field(default=None, sa_column=Column(Text))
    incoming_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("incoming_payments.id")))
    receipt: str | None = Field(default=None, sa_column=Column(Text))
    paid_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    allocations: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    policy: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
