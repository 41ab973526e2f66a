"""What is outside is claimed once in the world.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LIVING = sa.text("stage NOT IN ('refused', 'failed', 'withdrawn')")
_STATES = "'unchecked', 'ok', 'failing', 'blocked'"
_METHODS = "'bank_transfer', 'prompt', 'unannounced'"


def upgrade() -> None:
    op.create_table(
        "outside_claims",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("connection_id", sa.Text(), nullable=True),
        sa.Column("stands_for", sa.Text(), nullable=True),
        sa.Column("claimed_by", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('fineract_tenant', 'fineract_identity', 'mpesa_shortcode', 'bank_account')",
            name=op.f("ck_outside_claims_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_outside_claims_connection_id_connections")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_outside_claims_partner_id_partners")),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_outside_claims")),
    )
    op.create_index("ix_outside_claims_partner_id", "outside_claims", ["partner_id"])
    op.create_table(
        "vetted_addresses",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("vetted_by", sa.Text(), nullable=False),
        sa.Column("vetted_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("provider IN ('fineract', 'daraja')", name=op.f("ck_vetted_addresses_provider")),
        sa.PrimaryKeyConstraint("provider", "server", name=op.f("pk_vetted_addresses")),
    )
    op.add_column("connections", sa.Column("tenant_key", sa.Text(), nullable=True))
    _check("connections", "status", f"status IN ({_STATES}, 'unproven')")
    _check("top_ups", "method", f"method IN ({_METHODS}, 'admin')")

    op.add_column("disbursements", sa.Column("tenant_key", sa.Text(), nullable=True))
    op.execute("UPDATE disbursements SET tenant_key = 'partner/' || partner_id")
    op.alter_column("disbursements", "tenant_key", nullable=False)
    op.drop_constraint(op.f("uq_disbursements_partner_id_loan_id_round"), "disbursements", type_="unique")
    op.drop_index("uq_disbursements_living_loan", "disbursements")
    _loans_unique_by("tenant_key")

    op.add_column("incoming_payments", sa.Column("source", sa.Text(), nullable=True))
    op.create_unique_constraint(
        op.f("uq_incoming_payments_provider_source_external_id"),
        "incoming_payments",
        ["provider", "source", "external_id"],
    )


def downgrade() -> None:
    op.drop_constraint(op.f("uq_incoming_payments_provider_source_external_id"), "incoming_payments", type_="unique")
    op.drop_column("incoming_payments", "source")

    op.drop_constraint(op.f("uq_disbursements_tenant_key_loan_id_round"), "disbursements", type_="unique")
    op.drop_index("uq_disbursements_living_loan", "disbursements")
    op.drop_column("disbursements", "tenant_key")
    _loans_unique_by("partner_id")

    op.execute("UPDATE top_ups SET method = 'unannounced' WHERE method = 'admin'")
    _check("top_ups", "method", f"method IN ({_METHODS})")
    op.execute("UPDATE connections SET status = 'blocked' WHERE status = 'unproven'")
    _check("connections", "status", f"status IN ({_STATES})")
    op.drop_column("connections", "tenant_key")
    op.drop_table("vetted_addresses")
    op.drop_table("outside_claims")


def _check(table: str, name: str, rule: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)


def _loans_unique_by(owner: str) -> None:
    op.create_unique_constraint(
        op.f(f"uq_disbursements_{owner}_loan_id_round"), "disbursements", [owner, "loan_id", "round"]
    )
    op.create_index(
        "uq_disbursements_living_loan", "disbursements", [owner, "loan_id"], unique=True, postgresql_where=_LIVING
    )
