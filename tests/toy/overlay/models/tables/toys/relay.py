"""Money that is passed on from one person to another."""

from typing import ClassVar, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Text, text
from sqlmodel import Field

from core.money import Money
from models.tables.saga.saga_row import MoneyInRow, by_client_reference
from models.tables.searched import Term, found_by

RELAY_STAGES: Final[dict[str, str]] = {
    "requested": "Its saga is about to begin.",
    "prompting": "The payer was asked on the phone.",
    "waiting_money": "A payment that names its code is waited for.",
    "in_review": "Nobody has said what became of the money: a person decides.",
    "approval": "A person has decided; a second one must agree.",
    "paying": "The money goes on to the recipient.",
    "returning": "The recipient was not paid; the money goes back.",
    "settling": "It is paid; the books are closed.",
    "completed": "Ended: the recipient has the money.",
    "returned": "Ended: the payer has the money back.",
    "failed": "Ended: the payer did not pay.",
    "expired": "Ended: no money came in time.",
    "withdrawn": "Ended: cancelled before any money came.",
}


class Relay(MoneyInRow, table=True):
    """One relay. `code` is what a payer names who is not prompted; the unique `incoming_id` passes one payment on once.
    `receipt` is the payment's, the other two are those of what went out."""

    __tablename__ = "relays"
    __table_args__ = (
        CheckConstraint(f"stage IN {tuple(RELAY_STAGES)}", name="stage"),
        CheckConstraint("method IN ('prompt', 'code', 'arrived')", name="method"),
        Index("uq_relays_incoming_id", "incoming_id", unique=True, postgresql_where=text("incoming_id IS NOT NULL")),
        Index("uq_relays_code", "code", unique=True, postgresql_where=text("code IS NOT NULL")),
        Index("ix_relays_partner_id_id", "partner_id", "id"),
        by_client_reference("relays"),
        found_by("relays", "receipt"),
        Index("ix_relays_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )
    personal = ("msisdn", "recipient")
    search = MoneyInRow.search.also_by(
        Term("code", "reference", "upper"), Term("receipt", "receipt", "upper"), Term("recipient", "phone")
    )

    stages: ClassVar[dict[str, str]] = RELAY_STAGES

    method: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))  # wanted; what arrived is passed on
    code: str | None = Field(default=None, sa_column=Column(Text))
    msisdn: str | None = Field(default=None, sa_column=Column(Text))
    recipient: str | None = Field(default=None, sa_column=Column(Text))
    incoming_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("incoming_payments.id")))
    receipt: str | None = Field(default=None, sa_column=Column(Text))
    paid_receipt: str | None = Field(default=None, sa_column=Column(Text))
    returned_receipt: str | None = Field(default=None, sa_column=Column(Text))

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def began_by_payment(self) -> bool:
        return self.method == "arrived"

    @property
    def booked_receipt(self) -> str | None:
        return self.receipt
