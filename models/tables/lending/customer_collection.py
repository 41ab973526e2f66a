"""Customers' payments on their accounts."""

from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.money import Money
from models.tables.base import UtcDateTime
from models.tables.saga.saga_row import MoneyInRow, by_client_reference, by_time
from models.tables.searched import Term, found_by

# What each means to the lender who reads it.
COLLECTION_STAGES: Final[dict[str, str]] = {
    "requested": "Its saga is about to begin.",
    "prompting": "The customer was asked on the phone, or is about to be.",
    "in_review": "The provider says that the customer paid, and nobody has told the receipt: a person decides.",
    "approval": "A person says that nothing was paid; a second one must agree.",
    "identifying": "The payment came in; Fineract is asked whose account it is for.",
    "waiting_account": "Nobody can say by themselves whose account the payment is for: a person names it.",
    "posting": "The account is known; Fineract is being told.",
    "post_review": "The payment came in and Fineract does not book it. It is tried again every 15 minutes.",
    "settling": "It is booked; customer and lender are told.",
    "completed": "Ended: the payment is booked.",
    "merged": "Ended: the same receipt is booked by another collection.",
    "returned": "Ended: a person says that the money was given back.",
    "failed": "Ended: the customer did not pay, or was not asked since the account cannot take it.",
    "expired": "Ended: nobody ever said. A payment that turns up gets a collection of its own.",
    "withdrawn": "Ended: cancelled before anybody was asked.",
}


UNCOLLECTED_ENDS = ("failed", "expired", "withdrawn")


class Collection(MoneyInRow, table=True):
    """One customer's payment to the lender: asked for by a prompt, or paid by paybill on the customer's own initiative.

    The unique `incoming_id` makes one payment one saga; `payer_reference` is what the prompt shows and what a confirmation
    of it carries.
    """

    __tablename__ = "collections"
    __table_args__ = (
        CheckConstraint(f"stage IN {tuple(COLLECTION_STAGES)}", name="stage"),
        CheckConstraint("channel IN ('prompt', 'paybill')", name="channel"),
        Index("uq_collections_incoming_id", "incoming_id", unique=True, postgresql_where=text("incoming_id IS NOT NULL")),
        Index(
            "uq_collections_payer_reference", "payer_reference", unique=True,
            postgresql_where=text("payer_reference IS NOT NULL"),
        ),
        Index("ix_collections_partner_id_id", "partner_id", "id"),
        by_client_reference("collections"),
        by_time("collections"),
        found_by("collections", "account_ref", "id"),
        found_by("collections", "receipt"),
        Index("ix_collections_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    stages: ClassVar[dict[str, str]] = COLLECTION_STAGES
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
