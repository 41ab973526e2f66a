"""A line before each wallet: who waits for money, and who was granted it.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.TIMESTAMP(timezone=True)
    op.create_table(
        "funds_waits",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("needed_minor", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("granted_at", moment, nullable=True),
        sa.Column("told_at", moment, nullable=True),
        sa.Column("tellings", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workflow_id"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
        sa.CheckConstraint("needed_minor > 0", name="needed"),
    )
    waiting, granted = sa.text("granted_at IS NULL"), sa.text("granted_at IS NOT NULL")
    op.create_index("ix_funds_waits_line", "funds_waits", ["account_id", "asked_at", "id"], postgresql_where=waiting)
    op.create_index("ix_funds_waits_least", "funds_waits", ["account_id", "needed_minor"], postgresql_where=waiting)
    op.create_index("ix_funds_waits_granted", "funds_waits", ["granted_at", "asked_at"], postgresql_where=granted)


def downgrade() -> None:
    # A saga that waits looks by itself; one that was granted money has a hold of it, which an operator releases.
    op.drop_table("funds_waits")
