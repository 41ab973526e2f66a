"""Every table, imported once, so that Alembic and the tests see one complete metadata."""

from sqlmodel import SQLModel

from models.tables import ledger, platform

__all__ = ["ledger", "metadata", "platform"]

metadata = SQLModel.metadata
