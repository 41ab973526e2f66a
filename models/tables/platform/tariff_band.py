"""What charges cost."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime

CHARGES = ("mpesa_b2c", "processing", "sms", "bank_transfer", "float_processing")


class TariffBand(SQLModel, table=True):
    """What a charge costs for amounts from `from_minor` to `to_minor`, while `valid_from` is the latest past date.

    `partner_id` NULL: for everyone; a partner's own bands replace the general ones of the same charge.
    """

    __tablename__ = "tariff_bands"
    __table_args__ = (
        CheckConstraint(f"charge IN {CHARGES}", name="charge"),
        CheckConstraint("from_minor >= 0 AND to_minor >= from_minor AND fee_minor >= 0", name="amounts"),
        UniqueConstraint(
            "partner_id", "charge", "currency", "valid_from", "from_minor", postgresql_nulls_not_distinct=True
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    charge: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    from_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    to_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    fee_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_from: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
