"""Every table, imported once, so that Alembic and the tests see one complete metadata."""

from sqlmodel import SQLModel

from models.tables import disbursements, ledger, partners, security, traffic

__all__ = ["disbursements", "ledger", "metadata", "partners", "security", "traffic"]

metadata = SQLModel.metadata
