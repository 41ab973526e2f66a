"""Lenders: who they are."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Partner(SQLModel, table=True):
    """A lender. `hook_secret` is the unguessable part of its Fineract hook address, sealed by
    `store/platform/secret_addresses.py`."""

    __tablename__ = "partners"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status"),)

    id: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    country: str = Field(sa_column=Column(Text, nullable=False))
    timezone: str = Field(sa_column=Column(Text, nullable=False))
    language: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    hook_secret: str = Field(sa_column=Column(Text, nullable=False))
    hook_digest: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    old_hook_digest: str | None = Field(default=None, sa_column=Column(Text, index=True))
    old_hook_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    low_balance_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    # Set while the wallet is below the alert and the partner has been told of this crossing.
    low_balance_told_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
