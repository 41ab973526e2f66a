"""Partners: who they are."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Partner(SQLModel, table=True):
    """A client of the platform (a lender, a shop, a wallet programme, a society): who it is and how its people are spoken to.
    What is of one family alone stands in that family's tables."""

    __tablename__ = "partners"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status"),)

    id: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    country: str = Field(sa_column=Column(Text, nullable=False))
    timezone: str = Field(sa_column=Column(Text, nullable=False))
    language: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    low_balance_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    # Set while the wallet is below the alert and the partner has been told of this crossing.
    low_balance_told_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
