"""Mobile money bought from prepaid wallets."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from models.tables.saga.saga_row import SagaRow, by_client_reference

FLOAT_STAGES = (
    "requested", "awaiting_code", "transferring", "buying", "returning", "in_review", "approval", "settling", "completed",
    "refused", "expired", "withdrawn", "failed",
)  # fmt: skip


class FloatPurchase(SagaRow, table=True):
    """One purchase of mobile-money float from a wallet. `costs` is the breakdown that was shown and agreed to."""

    __tablename__ = "float_purchases"
    __table_args__ = (
        CheckConstraint(f"stage IN {FLOAT_STAGES}", name="stage"),
        CheckConstraint("operator IN ('mpesa', 'airtel', 'mtn')", name="operator"),
        CheckConstraint("amount_minor > 0 AND total_minor >= amount_minor", name="amounts"),
        Index("ix_float_purchases_partner_id_id", "partner_id", "id"),
        by_client_reference("float_purchases"),
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
