"""One command for many sagas: what was asked for, and what became of each.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TIME = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "bulk_actions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("filters", JSONB(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_via", sa.Text(), nullable=False),
        sa.Column("form_key", sa.Text(), nullable=True),
        sa.Column("stopped_via", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.CheckConstraint("command IN ('retry', 'cancel')", name="command"),
        sa.CheckConstraint("state IN ('requested', 'running', 'stopping', 'done', 'stopped')", name="state"),
        sa.CheckConstraint("(ended_at IS NULL) = (state IN ('requested', 'running', 'stopping'))", name="ended"),
        sa.CheckConstraint("total BETWEEN 1 AND 500", name="total"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
        sa.ForeignKeyConstraint(["requested_by"], ["people.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("requested_via", "form_key"),
    )
    op.create_index("ix_bulk_actions_partner_id", "bulk_actions", ["partner_id", "id"])
    op.create_index(
        "ix_bulk_actions_living", "bulk_actions", ["created_at"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "bulk_items",
        sa.Column("bulk_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("saga_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("at", _TIME, nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'sending', 'taken', 'refused', 'unanswered', 'skipped')", name="state"
        ),
        sa.ForeignKeyConstraint(["bulk_id"], ["bulk_actions.id"]),
        sa.PrimaryKeyConstraint("bulk_id", "ordinal"),
        sa.UniqueConstraint("bulk_id", "saga_id"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("bulk_items")
    op.drop_table("bulk_actions")
