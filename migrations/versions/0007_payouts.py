"""What a payout attempt must remember: role, part, paying account, latest time of sending.

At most one attempt of a part of a saga's payment may have been paid, whatever leg it belongs to; a receipt is unique within
the account that paid.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LIVING = sa.text("state NOT IN ('failed', 'void')")
_WITH_RECEIPT = sa.text("receipt IS NOT NULL")
_TIME = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("payout_attempts", sa.Column("role", sa.Text(), nullable=False, server_default="client"))
    op.add_column("payout_attempts", sa.Column("part", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("payout_attempts", sa.Column("account", sa.Text(), nullable=False, server_default=""))
    for name in ("role", "part", "account"):
        op.alter_column("payout_attempts", name, server_default=None)
    op.add_column("payout_attempts", sa.Column("send_by", _TIME))
    op.add_column("payout_attempts", sa.Column("paid_at", _TIME))
    op.add_column("prompts", sa.Column("send_by", _TIME))
    op.drop_index("uq_payout_attempts_living", table_name="payout_attempts")
    op.create_index(
        "uq_payout_attempts_living", "payout_attempts", ["workflow_id", "role", "part"], unique=True,
        postgresql_where=_LIVING,
    )  # fmt: skip
    op.drop_index("uq_payout_attempts_receipt", table_name="payout_attempts")
    op.create_index(
        "uq_payout_attempts_receipt", "payout_attempts", ["provider", "account", "receipt"], unique=True,
        postgresql_where=_WITH_RECEIPT,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("uq_payout_attempts_receipt", table_name="payout_attempts")
    op.create_index(
        "uq_payout_attempts_receipt", "payout_attempts", ["provider", "receipt"], unique=True,
        postgresql_where=_WITH_RECEIPT,
    )  # fmt: skip
    op.drop_index("uq_payout_attempts_living", table_name="payout_attempts")
    op.create_index("uq_payout_attempts_living", "payout_attempts", ["leg_id"], unique=True, postgresql_where=_LIVING)
    op.drop_column("prompts", "send_by")
    for name in ("paid_at", "send_by", "account", "part", "role"):
        op.drop_column("payout_attempts", name)
