"""What reports of a period read: where in the tables its rows lie.

Revision ID: 0019
Revises: 0015
"""

from alembic import op

revision = "0019"
down_revision = "0015"
branch_labels = None
depends_on = None

_SAGAS = ("disbursements", "collections", "top_ups", "float_purchases")


def upgrade() -> None:
    for table in _SAGAS:
        op.create_index(f"ix_{table}_times", table, ["created_at", "ended_at"], postgresql_using="brin")
    op.create_index("ix_ledger_entries_created_at", "ledger_entries", ["created_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_ledger_entries_created_at", "ledger_entries")
    for table in _SAGAS:
        op.drop_index(f"ix_{table}_times", table)
