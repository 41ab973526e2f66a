"""Relays: money that is passed on from one person to another.

Revision ID: toys
Revises: the head
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "toys"
down_revision = "the head"
branch_labels = None
depends_on = None

_TIME = sa.TIMESTAMP(timezone=True)
_STAGES = (
    "requested", "prompting", "waiting_money", "in_review", "approval", "paying", "returning", "settling", "completed",
    "returned", "failed", "expired", "withdrawn",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "relays",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("next_try_at", _TIME, nullable=True),
        sa.Column("trying_since", _TIME, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=True),
        sa.Column("policy", postgresql.JSONB(), nullable=False),
        sa.Column("client_reference", sa.Text(), nullable=True),
        sa.Column("client_metadata", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("msisdn", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("incoming_id", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("paid_receipt", sa.Text(), nullable=True),
        sa.Column("returned_receipt", sa.Text(), nullable=True),
        sa.CheckConstraint(f"stage IN {_STAGES}", name=op.f("ck_relays_stage")),
        sa.CheckConstraint("method IN ('prompt', 'code', 'arrived')", name=op.f("ck_relays_method")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_relays_partner_id_partners")),
        sa.ForeignKeyConstraint(
            ["incoming_id"], ["incoming_payments.id"], name=op.f("fk_relays_incoming_id_incoming_payments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relays")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_relays_workflow_id")),
    )
    for column in ("incoming_id", "code"):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"uq_relays_{column}", "relays", [column], unique=True, postgresql_where=where)
    op.create_index(
        "ix_relays_client_reference", "relays", ["client_reference", "partner_id"],
        postgresql_where=sa.text("client_reference IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_relays_by_receipt", "relays", ["receipt", "partner_id"], postgresql_where=sa.text("receipt IS NOT NULL")
    )
    op.create_index("ix_relays_partner_id_id", "relays", ["partner_id", "id"])
    op.create_index("ix_relays_stage", "relays", ["stage"], postgresql_where=sa.text("ended_at IS NULL"))


def downgrade() -> None:
    op.drop_table("relays")
