"""Which loan products we pay out, within which limits."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Text, text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class LoanProduct(SQLModel, table=True):
    """A Fineract loan product, and whether and within which limits we pay its loans out."""

    __tablename__ = "loan_products"
    __table_args__ = (
        CheckConstraint("above_maximum IN ('refuse', 'split')", name="above_maximum"),
        CheckConstraint("min_minor >= 0 AND max_minor >= min_minor", name="limits"),
        CheckConstraint("daily_minor IS NULL OR daily_minor > 0", name="daily"),
    )

    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), primary_key=True))
    product_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    enabled: bool
    min_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    max_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    daily_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    above_maximum: str = Field(sa_column=Column(Text, nullable=False))
    # Its loans may be paid before the day on which Fineract expects them to be disbursed.
    may_go_early: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    synced_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
