"""How we reach a partner's systems."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Connection(SQLModel, table=True):
    """One outside system of one partner. `settings` are plain data (address, tenant, short code); `sealed` is not.

    `address_secret` is the unguessable part of the address where this system calls us (C2B, bank pushes, Fineract's hook),
    sealed; see `store/platform/secret_addresses.py`.
    `unproven`: a partner gave it at an address that the platform has not vetted; nothing is sent through it.
    `tenant_key`: for Fineract, the claim under which its loans are unique in the world.
    """

    __tablename__ = "connections"
    __table_args__ = (
        UniqueConstraint("partner_id", "provider"),
        CheckConstraint("status IN ('unchecked', 'ok', 'failing', 'blocked', 'unproven')", name="status"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, ForeignKey("providers.name"), nullable=False))
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    sealed: str = Field(sa_column=Column(Text, nullable=False))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    checked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    check_detail: str | None = Field(default=None, sa_column=Column(Text))
    address_secret: str | None = Field(default=None, sa_column=Column(Text))
    address_digest: str | None = Field(default=None, sa_column=Column(Text, unique=True))
    old_address_digest: str | None = Field(default=None, sa_column=Column(Text, index=True))
    old_address_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    tenant_key: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
