"""Money into partners' prepaid wallets."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlmodel import Field

from core.money import Money
from models.tables.saga.saga_row import MoneyInRow, by_client_reference, by_time
from models.tables.searched import Term, found_by

# What each means to the lender who reads it.
TOP_UP_STAGES: Final[dict[str, str]] = {
    "requested": "Its saga is about to begin.",
    "prompting": "The payer was asked on the phone, or is about to be.",
    "waiting_money": "A bank transfer that names its reference is waited for.",
    "in_review": "The bank has not told the id of a payment, or something forbids the credit: a person decides.",
    "unallocated": "Money came in that names no top-up: a person says whether it is this partner's.",
    "approval": "A person has decided; a second one must agree.",
    "crediting": "The money is at the bank; the wallet is being credited.",
    "completed": "Ended: the wallet has what arrived.",
    "returned": "Ended: people say that the money was given back.",
    "failed": "Ended: the payer did not pay.",
    "expired": "Ended: no money came in time. Money that comes later gets a top-up of its own.",
    "withdrawn": "Ended: cancelled before any money came.",
}


class TopUp(MoneyInRow, table=True):
    """One top-up of a wallet. `reference` is what the payer writes on the transfer; the unique `incoming_id` credits one
    bank transaction once. `admin`: a person booked it, and no workflow stands behind it."""

    __tablename__ = "top_ups"
    __table_args__ = (
        CheckConstraint(f"stage IN {tuple(TOP_UP_STAGES)}", name="stage"),
        CheckConstraint("method IN ('bank_transfer', 'prompt', 'unannounced', 'admin')", name="method"),
        Index("uq_top_ups_incoming_id", "incoming_id", unique=True, postgresql_where=text("incoming_id IS NOT NULL")),
        Index("uq_top_ups_reference", "reference", unique=True, postgresql_where=text("reference IS NOT NULL")),
        Index("ix_top_ups_partner_id_id", "partner_id", "id"),
        by_client_reference("top_ups"),
        by_time("top_ups"),
        found_by("top_ups", "bank_reference"),
        Index("ix_top_ups_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )

    stages: ClassVar[dict[str, str]] = TOP_UP_STAGES
    moved_column: ClassVar[str] = "credited_minor"
    search = MoneyInRow.search.also_by(
        Term("reference", "reference", "upper"), Term("bank_reference", "receipt", "any")
    )

    method: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))  # wanted; what arrived is credited
    reference: str | None = Field(default=None, sa_column=Column(Text))
    msisdn: str | None = Field(default=None, sa_column=Column(Text))
    incoming_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("incoming_payments.id")))
    bank_reference: str | None = Field(default=None, sa_column=Column(Text))
    credited_minor: int | None = Field(default=None, sa_column=Column(BigInteger))

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor if self.credited_minor is None else self.credited_minor, self.currency)

    @property
    def began_by_payment(self) -> bool:
        return self.method == "unannounced"

    @property
    def booked_receipt(self) -> str | None:
        return self.bank_reference
