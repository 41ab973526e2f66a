"""A caller's own reference and notes on every payment.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = ("disbursements", "collections", "top_ups", "float_purchases")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("client_reference", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("client_metadata", JSONB(), nullable=True))
        op.create_index(
            f"ix_{table}_client_reference", table, ["partner_id", "client_reference"],
            postgresql_where=sa.text("client_reference IS NOT NULL"),
        )  # fmt: skip


def downgrade() -> None:
    for table in _TABLES:
        op.drop_index(f"ix_{table}_client_reference", table)
        op.drop_column(table, "client_metadata")
        op.drop_column(table, "client_reference")
