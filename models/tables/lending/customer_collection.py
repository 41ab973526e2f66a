"""Customers' payments on their accounts."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.money import Money
from models.tables.base import UtcDateTime
from models.tables.saga.saga_row import MoneyInRow, by_client_reference
from models.tables.searched import Term, found_by

COLLECTION_STAGES = (
    "requested", "prompting", "in_review", "approval", "identifying", "waiting_account", "posting", "post_review",
    "settling", "completed", "merged", "returned", "failed", "expired", "withdrawn",
)  # fmt: skip


UNCOLLECTED_ENDS = ("failed", "expired", "withdrawn")


class Collection(MoneyInRow, table=True):
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
        by_client_reference("collections"),
        found_by("collections", "account_ref", "id"),
        found_by("collections", "receipt"),
        Index("ix_collections_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    search = MoneyInRow.search.also_by(
        Term("account_ref", "account", "any"), Term("payer_reference", "reference", "upper"),
        Term("receipt", "receipt", "upper"),
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

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def began_by_payment(self) -> bool:
        return self.channel == "paybill"

    @property
    def booked_receipt(self) -> str | None:
        return self.receipt
