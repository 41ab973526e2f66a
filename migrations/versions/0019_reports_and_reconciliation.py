"""What reports of a period read: where in the tables its rows lie; who gets them by email. Comparisons of a partner's day
with the outside.

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TIME = sa.TIMESTAMP(timezone=True)
# Rows lie in the order of these times, so a few pages of such an index tell where to look.
_TIMES = {
    "ix_disbursements_times": ("disbursements", ["created_at", "ended_at"]),
    "ix_collections_times": ("collections", ["created_at", "ended_at"]),
    "ix_top_ups_times": ("top_ups", ["created_at", "ended_at"]),
    "ix_float_purchases_times": ("float_purchases", ["created_at", "ended_at"]),
    "ix_ledger_entries_created_at": ("ledger_entries", ["created_at"]),
    "ix_payout_attempts_times": ("payout_attempts", ["created_at", "paid_at"]),
    "ix_incoming_payments_happened_at": ("incoming_payments", ["happened_at"]),
    "ix_webhook_inbox_received_at": ("webhook_inbox", ["received_at"]),
}


def upgrade() -> None:
    for name, (table, columns) in _TIMES.items():
        op.create_index(name, table, columns, postgresql_using="brin")
    op.create_table(
        "report_subscriptions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("kind IN ('daily', 'partner', 'financial', 'sms')", name="kind"),
        sa.CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner_id", "kind", "email", postgresql_nulls_not_distinct=True),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("parts", JSONB(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.CheckConstraint("state IN ('running', 'done', 'partly')", name="state"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("partner_id", "day"),
    )
    op.create_table(
        "reconciliation_differences",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("evidence", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("found_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
        sa.Column("gone_at", _TIME, nullable=True),
        sa.CheckConstraint("state IN ('open', 'gone')", name="state"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(
        "ix_reconciliation_differences_open", "reconciliation_differences", ["partner_id", "part"],
        postgresql_where=sa.text("state = 'open'"),
    )  # fmt: skip
    op.create_index("ix_reconciliation_differences_day", "reconciliation_differences", ["partner_id", "day"])
    op.create_table(
        "reconciliation_baselines",
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("offset_minor", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
        sa.PrimaryKeyConstraint("partner_id", "account"),
    )


def downgrade() -> None:
    for table in (
        "reconciliation_baselines", "reconciliation_differences", "reconciliations", "report_subscriptions",
    ):  # fmt: skip
        op.drop_table(table)
    for name, (table, _) in _TIMES.items():
        op.drop_index(name, table)
