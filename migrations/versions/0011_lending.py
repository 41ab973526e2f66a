"""Loans are unique per tenant; products say whether they may be paid early.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_BEFORE = (
    "requested", "waiting_funds", "waiting_limit", "paying", "in_review", "approval", "posting",
    "post_review", "settling", "completed", "refused", "failed", "withdrawn",
)  # fmt: skip


def upgrade() -> None:
    op.add_column(
        "loan_products", sa.Column("may_go_early", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    _stages((*_BEFORE[:3], "waiting_date", *_BEFORE[3:]))


def downgrade() -> None:
    # Its saga looks again and writes where it stands.
    op.execute("UPDATE disbursements SET stage = 'waiting_limit' WHERE stage = 'waiting_date'")
    _stages(_BEFORE)
    op.drop_column("loan_products", "may_go_early")


def _stages(stages: tuple[str, ...]) -> None:
    name = op.f("ck_disbursements_stage")
    op.drop_constraint(name, "disbursements", type_="check")
    op.create_check_constraint(name, "disbursements", f"stage IN {stages}")
