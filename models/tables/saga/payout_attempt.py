"""Every attempt to pay."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime
from models.tables.searched import Searched, Term, found_by


class PayoutAttempt(SQLModel, table=True):
    """One instruction to pay (a phone, a bank account, a float account), written and committed before it is sent.

    `void` is a fence: the leg asked for this reference's status and no row was there, so it was never sent, and now
    never can be. The partial unique index lets each part of a saga's payment have one attempt at a time that is not known
    to have failed. `account` is what pays (a short code, a bank account); a receipt is unique within it. After `send_by`
    the attempt may not leave any more. `next_query_at` is when the provider is asked next what became of it, if nobody has
    told by then; NULL once nothing more is asked.
    """

    __tablename__ = "payout_attempts"
    __table_args__ = (
        UniqueConstraint("leg_id", "number"),
        Index(
            "uq_payout_attempts_living", "workflow_id", "role", "part", unique=True,
            postgresql_where=text("state NOT IN ('failed', 'void')"),
        ),
        Index(
            "uq_payout_attempts_receipt", "provider", "account", "receipt", unique=True,
            postgresql_where=text("receipt IS NOT NULL"),
        ),
        Index("ix_payout_attempts_workflow_id", "workflow_id"),
        found_by("payout_attempts", "receipt"),
        found_by("payout_attempts", "provider_reference"),
        Index("ix_payout_attempts_times", "created_at", "paid_at", postgresql_using="brin"),
        CheckConstraint(
            "state IN ('sending', 'not_sent', 'accepted', 'unknown', 'paid', 'failed', 'void')", name="state"
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("kind IN ('mobile', 'bank_transfer', 'float_purchase')", name="kind"),
        CheckConstraint("(msisdn IS NULL) <> (destination IS NULL)", name="destination"),
    )  # fmt: skip

    search: ClassVar[Searched] = Searched(
        by=(
            Term("reference", "reference", "lower"), Term("receipt", "receipt", "any"),
            Term("provider_reference", "reference", "any"), Term("msisdn", "phone"),
        ),
        prefix="pay", key="leg_id",
    )  # fmt: skip

    reference: str = Field(sa_type=Text, primary_key=True)
    leg_id: str = Field(sa_column=Column(Text, nullable=False))
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    part: int = Field(default=1, sa_column=Column(BigInteger, nullable=False))
    workflow_id: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    account: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(default="mobile", sa_column=Column(Text, nullable=False, server_default=text("'mobile'")))
    msisdn: str | None = Field(default=None, sa_column=Column(Text))  # of a payout to a phone
    destination: str | None = Field(default=None, sa_column=Column(Text))  # of any other: the account it goes to
    state: str = Field(sa_column=Column(Text, nullable=False))
    provider_reference: str | None = Field(default=None, sa_column=Column(Text))
    receipt: str | None = Field(default=None, sa_column=Column(Text))
    code: str | None = Field(default=None, sa_column=Column(Text))
    detail: str | None = Field(default=None, sa_column=Column(Text))
    send_by: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    next_query_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    paid_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
