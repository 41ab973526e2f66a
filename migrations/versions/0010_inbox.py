"""Bodies stored sealed before they are read.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OLD = "'waiting', 'taken', 'refused', 'redundant', 'contradiction', 'unclaimed'"


def upgrade() -> None:
    for name in ("endpoint", "connection_id", "raw_sealed", "raw_digest"):
        op.add_column("webhook_inbox", sa.Column(name, sa.Text(), nullable=True))
    op.create_index("uq_webhook_inbox_raw_digest", "webhook_inbox", ["raw_digest"], unique=True)
    op.create_index(
        "ix_webhook_inbox_forged",
        "webhook_inbox",
        ["connection_id", "id"],
        postgresql_where=sa.text("outcome = 'forged'"),
    )
    _outcomes(f"{_OLD}, 'unreadable', 'forged', 'copy'")
    # The beginning of what could not be read was kept as it came: names, numbers, whatever stood there.
    op.execute(
        "UPDATE webhook_inbox SET body = jsonb_build_object('bytes', length(body->>'unreadable')) "
        "WHERE jsonb_typeof(body) = 'object' AND body ? 'unreadable'"
    )


def downgrade() -> None:
    op.execute("UPDATE webhook_inbox SET outcome = 'unclaimed' WHERE outcome IN ('unreadable', 'forged')")
    op.execute("UPDATE webhook_inbox SET outcome = 'redundant' WHERE outcome = 'copy'")
    _outcomes(_OLD)
    op.drop_index("ix_webhook_inbox_forged", "webhook_inbox")
    op.drop_index("uq_webhook_inbox_raw_digest", "webhook_inbox")
    for name in ("raw_digest", "raw_sealed", "connection_id", "endpoint"):
        op.drop_column("webhook_inbox", name)


def _outcomes(listed: str) -> None:
    op.drop_constraint(op.f("ck_webhook_inbox_outcome"), "webhook_inbox")
    op.create_check_constraint("outcome", "webhook_inbox", f"outcome IN ({listed})")
