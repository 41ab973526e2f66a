"""What payments are found by: keyed hashes of phones and names, an index for every reference, a loan's client in its row. And
when what did not go is tried again, and what runs by the clock has run.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_SAGAS = ("disbursements", "collections", "top_ups", "float_purchases")
_QUERIED = ("payout_attempts", "prompts")
# Table, column, and what follows the partner.
_FOUND_BY = (
    ("disbursements", "loan_id", "id"), ("disbursements", "account_no", "id"), ("collections", "account_ref", "id"),
    ("collections", "receipt"), ("top_ups", "bank_reference"), ("payout_attempts", "receipt"),
    ("payout_attempts", "provider_reference"), ("prompts", "provider_reference"), ("incoming_payments", "external_id"),
)  # fmt: skip


def upgrade() -> None:
    moment = sa.TIMESTAMP(timezone=True)
    op.create_table(
        "search_terms",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("source", "subject", "digest"),
    )
    op.create_index("ix_search_terms_digest", "search_terms", ["digest", "partner_id", "at"])
    op.create_table(
        "search_fills",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("done_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("source", "key_id"),
    )
    op.add_column("disbursements", sa.Column("client_phone", sa.Text(), nullable=True))
    op.add_column("disbursements", sa.Column("client_name", sa.Text(), nullable=True))
    for table, column, *then in _FOUND_BY:
        op.create_index(
            f"ix_{table}_by_{column}", table, [column, "partner_id", *then],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )  # fmt: skip
    for table in _SAGAS:
        op.add_column(table, sa.Column("next_try_at", moment, nullable=True))
        op.add_column(table, sa.Column("trying_since", moment, nullable=True))
        op.add_column(table, sa.Column("tries", sa.Integer(), nullable=True))
    for table in _QUERIED:
        op.add_column(table, sa.Column("next_query_at", moment, nullable=True))
    op.create_table(
        "pulses",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("ran_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"]),
    )
    op.create_index(
        "ix_notifications_unsent", "notifications", ["created_at", "id"],
        postgresql_where=sa.text("state IN ('failed', 'unclear') OR delivery = 'failed'"),
    )  # fmt: skip
    op.create_index("ix_prompts_leg_id", "prompts", ["leg_id"])
    for table in _SAGAS:
        _by_client_reference(table, "client_reference", "partner_id")


def downgrade() -> None:
    for table in _SAGAS:
        _by_client_reference(table, "partner_id", "client_reference")
    op.drop_index("ix_prompts_leg_id", "prompts")
    op.drop_index("ix_notifications_unsent", "notifications")
    op.drop_table("pulses")
    for table in _QUERIED:
        op.drop_column(table, "next_query_at")
    for table in _SAGAS:
        op.drop_column(table, "tries")
        op.drop_column(table, "trying_since")
        op.drop_column(table, "next_try_at")
    for table, column, *_ in _FOUND_BY:
        op.drop_index(f"ix_{table}_by_{column}", table)
    op.drop_column("disbursements", "client_name")
    op.drop_column("disbursements", "client_phone")
    op.drop_table("search_fills")
    op.drop_table("search_terms")


def _by_client_reference(table: str, *columns: str) -> None:
    op.drop_index(f"ix_{table}_client_reference", table)
    op.create_index(
        f"ix_{table}_client_reference", table, list(columns),
        postgresql_where=sa.text("client_reference IS NOT NULL"),
    )  # fmt: skip
