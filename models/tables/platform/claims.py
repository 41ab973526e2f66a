"""What is outside is claimed once in the world, and only at addresses that the platform vetted."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class OutsideClaim(SQLModel, table=True):
    """One thing of the world and the one partner that has it, spelt as `core/outside.py` does. A claim is made in the
    transaction that stores a proven connection, and only moved (by two people), never let go: what was paid under it must
    not be paid again by the next holder.

    `stands_for`: the tenant's claim that a server's identity belongs to; a second name of that server is the same tenant.
    """

    __tablename__ = "outside_claims"
    __table_args__ = (Index("ix_outside_claims_partner_id", "partner_id"),)

    kind: str = Field(sa_type=Text, primary_key=True, foreign_key="claim_kinds.name")
    key: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    connection_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("connections.id")))
    stands_for: str | None = Field(default=None, sa_column=Column(Text))
    claimed_by: str = Field(sa_column=Column(Text, nullable=False))
    claimed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class VettedAddress(SQLModel, table=True):
    """A server that somebody of the platform has looked at: partners may prove connections there. The settings name more."""

    __tablename__ = "vetted_addresses"
    provider: str = Field(sa_type=Text, primary_key=True, foreign_key="providers.name")
    server: str = Field(sa_type=Text, primary_key=True)
    note: str = Field(sa_column=Column(Text, nullable=False))
    vetted_by: str = Field(sa_column=Column(Text, nullable=False))
    vetted_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
