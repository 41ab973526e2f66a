"""Payments that came in, whatever announced them."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime
from models.tables.searched import Searched, Term, found_by


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
        found_by("incoming_payments", "external_id"),
        Index("ix_incoming_payments_claimed_by", "claimed_by"),
        Index("ix_incoming_payments_happened_at", "happened_at", postgresql_using="brin"),
        Index("ix_incoming_payments_unclaimed", "created_at", postgresql_where=text("claimed_by IS NULL")),
    )

    search: ClassVar[Searched] = Searched(
        by=(Term("external_id", "receipt", "upper"), Term("payer_phone", "phone"), Term("payer_name", "name")),
        saga="claimed_by", kind="incoming payment", prefix="inp",
    )  # fmt: skip

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, ForeignKey("providers.name"), nullable=False))
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
