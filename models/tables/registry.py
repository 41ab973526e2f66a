"""Every table, imported once, so that Alembic and the tests see one complete metadata."""

from sqlmodel import SQLModel

from models.tables import claims, collections, decisions, disbursements, ledger, partners, security, traffic, wallets

__all__ = [
    "claims", "collections", "decisions", "disbursements", "ledger", "metadata", "partners", "security", "traffic", "wallets",
]  # fmt: skip

metadata = SQLModel.metadata
