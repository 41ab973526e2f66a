"""The ledger: accounts, transfers, entries, roll-ups, and the function that posts.

Revision ID: 0001
Revises:
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from models.tables.base import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parents[2] / "ledger" / "sql"


def upgrade() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("floor_minor", sa.BigInteger(), nullable=True),
        sa.Column("pool", sa.Boolean(), nullable=False),
        sa.Column("hot", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("debits_posted", sa.BigInteger(), nullable=False),
        sa.Column("debits_pending", sa.BigInteger(), nullable=False),
        sa.Column("credits_posted", sa.BigInteger(), nullable=False),
        sa.Column("credits_pending", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.CheckConstraint("side IN ('debit', 'credit')", name="side"),
        sa.CheckConstraint("NOT pool OR (floor_minor IS NULL AND NOT hot AND version = 0)", name="pool"),
        sa.CheckConstraint(
            "debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0",
            name="not_negative",
        ),
        sa.CheckConstraint(
            "version = 0 OR floor_minor <= CASE side WHEN 'credit' THEN credits_posted - debits_posted - debits_pending"
            " ELSE debits_posted - credits_posted - credits_pending END",
            name="floor",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    # Room for the next version of a balance on the same page: such an update touches no index.
    op.execute("ALTER TABLE ledger_accounts SET (fillfactor = 50)")
    op.create_table(
        "ledger_transfers",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("content", sa.Uuid(), nullable=False),
        sa.Column("debit_id", sa.Text(), nullable=True),
        sa.Column("credit_id", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("group_key", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('post', 'hold', 'capture', 'release', 'expire', 'reverse', 'void')", name="kind"),
        sa.CheckConstraint(
            "(amount_minor > 0 AND currency IS NOT NULL AND debit_id <> credit_id) IS TRUE"
            " OR (kind IN ('void', 'release') AND amount_minor = 0"
            " AND num_nonnulls(currency, debit_id, credit_id) = 0)",
            name="movement",
        ),
        sa.CheckConstraint("(target_id IS NULL) = (kind IN ('post', 'hold', 'void'))", name="target"),
        sa.ForeignKeyConstraint(["target_id"], ["ledger_transfers.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uq_ledger_transfers_key", "ledger_transfers", ["key"], unique=True)
    op.create_index(
        "uq_ledger_transfers_target_id",
        "ledger_transfers",
        ["target_id"],
        unique=True,
        postgresql_where=sa.text("target_id IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_transfers_group_key",
        "ledger_transfers",
        ["group_key"],
        postgresql_where=sa.text("group_key IS NOT NULL"),
    )
    op.create_index(
        "ix_ledger_transfers_holds", "ledger_transfers", ["workflow_id"], postgresql_where=sa.text("kind = 'hold'")
    )
    op.create_table(
        "ledger_entries",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("posted_minor", sa.BigInteger(), nullable=False),
        sa.Column("pending_minor", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=True),
        sa.Column("balance_before", sa.BigInteger(), nullable=True),
        sa.Column("balance_after", sa.BigInteger(), nullable=True),
        sa.Column("held_before", sa.BigInteger(), nullable=True),
        sa.Column("held_after", sa.BigInteger(), nullable=True),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("posted_minor >= 0", name="posted"),
        sa.PrimaryKeyConstraint("account_id", "id"),
    )
    op.create_table(
        "ledger_rollups",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("debits_posted", sa.BigInteger(), nullable=False),
        sa.Column("debits_pending", sa.BigInteger(), nullable=False),
        sa.Column("credits_posted", sa.BigInteger(), nullable=False),
        sa.Column("credits_pending", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_ledger_rollups_account_id", "ledger_rollups", ["account_id"])
    # Without parameters the driver sends a file as it is: several statements, and a percent sign stays one.
    connection = op.get_bind()
    for name in ("0001_append_only.sql", "0001_post.sql"):
        sql = (_SQL / name).read_text(encoding="utf-8")
        connection.exec_driver_sql(sql, execution_options={"no_parameters": True})


def downgrade() -> None:
    op.execute("DROP FUNCTION ledger_post_v1(json, json, integer, boolean)")
    op.execute("DROP TYPE ledger_step_v1")
    for table in ("ledger_rollups", "ledger_entries", "ledger_transfers", "ledger_accounts"):
        op.drop_table(table)
    op.execute("DROP FUNCTION ledger_refuse_v1()")
