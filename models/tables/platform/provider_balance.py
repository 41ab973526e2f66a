"""What providers told us of the money on a partner's own accounts."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class ProviderBalance(SQLModel, table=True):
    """The last balance that a provider told us of one of the partner's accounts there (M-Pesa Utility, Working …)."""

    __tablename__ = "provider_balances"

    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), primary_key=True))
    provider: str = Field(sa_column=Column(Text, primary_key=True))
    account: str = Field(sa_column=Column(Text, primary_key=True))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    told_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
