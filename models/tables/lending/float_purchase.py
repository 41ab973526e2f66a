"""Mobile money bought from prepaid wallets."""

from typing import Any, ClassVar, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.tables.saga.saga_row import SagaRow, by_client_reference, by_time

# What each means to the lender who reads it.
FLOAT_STAGES: Final[dict[str, str]] = {
    "requested": "Its saga is about to set the costs aside in the wallet.",
    "awaiting_code": "The costs are set aside; the one-time code is waited for.",
    "transferring": "The bank moves the money from the wallet's account to the B2C account.",
    "buying": "The bank buys the float.",
    "returning": "The float was not bought; the money goes back to the wallet's account.",
    "in_review": "Nobody has said what became of a movement at the bank: a person decides.",
    "approval": "A person has decided; a second one must agree.",
    "settling": "The float is bought; costs are taken and people are told.",
    "completed": "Ended: the float is on the short code.",
    "refused": "Ended before any money moved: the wallet is too low, nobody may confirm, or the partner is suspended.",
    "expired": "Ended before any money moved: the code was not given in time.",
    "withdrawn": "Ended before any money moved: cancelled.",
    "failed": "Ended without float; everything is back in the wallet.",
}


class FloatPurchase(SagaRow, table=True):
    """One purchase of mobile-money float from a wallet. `costs` is the breakdown that was shown and agreed to."""

    __tablename__ = "float_purchases"
    __table_args__ = (
        CheckConstraint(f"stage IN {tuple(FLOAT_STAGES)}", name="stage"),
        CheckConstraint("operator IN ('mpesa', 'airtel', 'mtn')", name="operator"),
        CheckConstraint("amount_minor > 0 AND total_minor >= amount_minor", name="amounts"),
        Index("ix_float_purchases_partner_id_id", "partner_id", "id"),
        by_client_reference("float_purchases"),
        by_time("float_purchases"),
        Index("ix_float_purchases_stage", "stage", postgresql_where=text("ended_at IS NULL")),
    )

    stages: ClassVar[dict[str, str]] = FLOAT_STAGES

    operator: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    total_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    costs: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    transfer_reference: str | None = Field(default=None, sa_column=Column(Text))
    purchase_reference: str | None = Field(default=None, sa_column=Column(Text))
    returned_reference: str | None = Field(default=None, sa_column=Column(Text))
