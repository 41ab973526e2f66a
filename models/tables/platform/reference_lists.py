"""What columns may name: filled from the code's own lists when the database is migrated, so that a new provider is no change
of a table."""

from sqlalchemy import Column, ForeignKey, Text
from sqlmodel import Field, SQLModel


class ProviderEntry(SQLModel, table=True):
    """A provider of `models/providers.py`."""

    __tablename__ = "providers"

    name: str = Field(sa_type=Text, primary_key=True)


class ClaimKindEntry(SQLModel, table=True):
    """A kind of thing outside that a provider's connections claim."""

    __tablename__ = "claim_kinds"

    name: str = Field(sa_type=Text, primary_key=True)
    provider: str = Field(sa_column=Column(Text, ForeignKey("providers.name"), nullable=False))
