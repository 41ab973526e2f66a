"""Lenders: who they are, how we reach their systems, whom we tell, which loan products we pay out."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Partner(SQLModel, table=True):
    """A lender. `hook_secret` is the unguessable part of its Fineract hook address, sealed (`store/secret_addresses.py`)."""

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


class Connection(SQLModel, table=True):
    """One outside system of one partner. `settings` are plain data (address, tenant, short code); `sealed` is not.

    `push_secret` is the unguessable part of the address where this system tells of payments (C2B, bank pushes), sealed; see
    `store/secret_addresses.py`.
    `unproven`: a partner gave it at an address that the platform has not vetted; nothing is sent through it.
    `tenant_key`: for Fineract, the claim under which its loans are unique in the world.
    """

    __tablename__ = "connections"
    __table_args__ = (
        UniqueConstraint("partner_id", "provider"),
        CheckConstraint("provider IN ('fineract', 'daraja', 'bank')", name="provider"),
        CheckConstraint("status IN ('unchecked', 'ok', 'failing', 'blocked', 'unproven')", name="status"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    sealed: str = Field(sa_column=Column(Text, nullable=False))
    version: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    checked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    check_detail: str | None = Field(default=None, sa_column=Column(Text))
    push_secret: str | None = Field(default=None, sa_column=Column(Text))
    push_digest: str | None = Field(default=None, sa_column=Column(Text, unique=True))
    old_push_digest: str | None = Field(default=None, sa_column=Column(Text, index=True))
    old_push_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    tenant_key: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Contact(SQLModel, table=True):
    """A person at the partner whom we tell things; an `authorised` one may also confirm with one-time codes.

    A `proposed` one is told nothing and may confirm nothing: it waits until a second person agrees.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'proposed')", name="state"),
        CheckConstraint("role IN ('notify', 'authorised')", name="role"),
        CheckConstraint("phone IS NOT NULL OR email IS NOT NULL", name="reachable"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False, index=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    phone: str | None = Field(default=None, sa_column=Column(Text))
    email: str | None = Field(default=None, sa_column=Column(Text))
    role: str = Field(sa_column=Column(Text, nullable=False))
    language: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(default="active", sa_column=Column(Text, nullable=False, server_default=text("'active'")))


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


class ProviderBalance(SQLModel, table=True):
    """The last balance that a provider told us of one of the partner's accounts there (M-Pesa Utility, Working …)."""

    __tablename__ = "provider_balances"

    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), primary_key=True))
    provider: str = Field(sa_column=Column(Text, primary_key=True))
    account: str = Field(sa_column=Column(Text, primary_key=True))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    told_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
