"""The platform: partners, disbursements, payouts and traffic.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# History that may only grow. The ledger's own tables guard themselves in 0001.
_APPEND_ONLY = ("saga_events",)


def upgrade() -> None:
    op.create_table(
        "partners",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("hook_secret", sa.Text(), nullable=False),
        sa.Column("low_balance_minor", sa.BigInteger(), nullable=False),
        sa.Column("low_balance_told_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_partners_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partners")),
        sa.UniqueConstraint("hook_secret", name=op.f("uq_partners_hook_secret")),
        sa.UniqueConstraint("name", name=op.f("uq_partners_name")),
    )
    op.create_table(
        "provider_exchanges",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=True),
        sa.Column("response", postgresql.JSONB(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_exchanges")),
    )
    op.create_index("ix_provider_exchanges_started_at", "provider_exchanges", ["started_at"], unique=False)
    op.create_index("ix_provider_exchanges_workflow_id", "provider_exchanges", ["workflow_id"], unique=False)
    op.create_table(
        "saga_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("tone", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("tone IN ('info', 'good', 'warning', 'bad')", name=op.f("ck_saga_events_tone")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saga_events")),
        sa.UniqueConstraint("workflow_id", "key", name=op.f("uq_saga_events_workflow_id_key")),
    )
    op.create_table(
        "webhook_inbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("received_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('waiting', 'taken', 'refused', 'redundant', 'contradiction', 'unclaimed')",
            name=op.f("ck_webhook_inbox_outcome"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_inbox")),
        sa.UniqueConstraint("provider", "external_id", name=op.f("uq_webhook_inbox_provider_external_id")),
    )
    op.create_index(
        "ix_webhook_inbox_due",
        "webhook_inbox",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("closed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_cases_state")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_cases_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_workflow_id", "cases", ["workflow_id"], unique=False)
    op.create_index("uq_cases_open_key", "cases", ["key"], unique=True, postgresql_where=sa.text("state = 'open'"))
    op.create_table(
        "connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("check_detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("provider IN ('fineract', 'daraja')", name=op.f("ck_connections_provider")),
        sa.CheckConstraint("status IN ('unchecked', 'ok', 'failing', 'blocked')", name=op.f("ck_connections_status")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_connections_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("partner_id", "provider", name=op.f("uq_connections_partner_id_provider")),
    )
    op.create_table(
        "contacts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.CheckConstraint("role IN ('notify', 'authorised')", name=op.f("ck_contacts_role")),
        sa.CheckConstraint("phone IS NOT NULL OR email IS NOT NULL", name=op.f("ck_contacts_reachable")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_contacts_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
    )
    op.create_index(op.f("ix_contacts_partner_id"), "contacts", ["partner_id"], unique=False)
    op.create_table(
        "disbursements",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("loan_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=True),
        sa.Column("account_no", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("principal_minor", sa.BigInteger(), nullable=True),
        sa.Column("charges_minor", sa.BigInteger(), nullable=True),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("reserved_on", sa.Date(), nullable=True),
        sa.Column("receipts", postgresql.JSONB(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("approved_on", sa.Date(), nullable=True),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("policy", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("source IN ('poll', 'hook', 'api')", name=op.f("ck_disbursements_source")),
        sa.CheckConstraint(
            "stage IN ('requested', 'waiting_funds', 'waiting_limit', 'paying', 'in_review', 'posting', 'post_review', "
            "'settling', 'completed', 'refused', 'failed', 'withdrawn')",
            name=op.f("ck_disbursements_stage"),
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_disbursements_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disbursements")),
        sa.UniqueConstraint("partner_id", "loan_id", "round", name=op.f("uq_disbursements_partner_id_loan_id_round")),
        sa.UniqueConstraint("workflow_id", name=op.f("uq_disbursements_workflow_id")),
    )
    op.create_index("ix_disbursements_partner_id_id", "disbursements", ["partner_id", "id"], unique=False)
    op.create_index(
        "ix_disbursements_reserved", "disbursements", ["partner_id", "product_id", "reserved_on"], unique=False
    )
    op.create_index(
        "ix_disbursements_stage", "disbursements", ["stage"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index(
        "uq_disbursements_living_loan",
        "disbursements",
        ["partner_id", "loan_id"],
        unique=True,
        postgresql_where=sa.text("stage NOT IN ('refused', 'failed', 'withdrawn')"),
    )
    op.create_table(
        "loan_products",
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("min_minor", sa.BigInteger(), nullable=False),
        sa.Column("max_minor", sa.BigInteger(), nullable=False),
        sa.Column("daily_minor", sa.BigInteger(), nullable=True),
        sa.Column("above_maximum", sa.Text(), nullable=False),
        sa.Column("synced_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("above_maximum IN ('refuse', 'split')", name=op.f("ck_loan_products_above_maximum")),
        sa.CheckConstraint("daily_minor IS NULL OR daily_minor > 0", name=op.f("ck_loan_products_daily")),
        sa.CheckConstraint("min_minor >= 0 AND max_minor >= min_minor", name=op.f("ck_loan_products_limits")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_loan_products_partner_id_partners")),
        sa.PrimaryKeyConstraint("partner_id", "product_id", name=op.f("pk_loan_products")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("tried", postgresql.JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sent_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("delivery", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("channel IN ('sms', 'email')", name=op.f("ck_notifications_channel")),
        sa.CheckConstraint("state IN ('pending', 'sent', 'failed', 'unclear')", name=op.f("ck_notifications_state")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_notifications_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("key", name=op.f("uq_notifications_key")),
    )
    op.create_index(
        "ix_notifications_due",
        "notifications",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_notifications_workflow_id", "notifications", ["workflow_id"], unique=False)
    op.create_table(
        "payout_attempts",
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("leg_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("msisdn", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("provider_reference", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('sending', 'not_sent', 'accepted', 'unknown', 'paid', 'failed', 'void')",
            name=op.f("ck_payout_attempts_state"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payout_attempts_amount")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_payout_attempts_partner_id_partners")),
        sa.PrimaryKeyConstraint("reference", name=op.f("pk_payout_attempts")),
        sa.UniqueConstraint("leg_id", "number", name=op.f("uq_payout_attempts_leg_id_number")),
    )
    op.create_index("ix_payout_attempts_workflow_id", "payout_attempts", ["workflow_id"], unique=False)
    op.create_index(
        "uq_payout_attempts_living",
        "payout_attempts",
        ["leg_id"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('failed', 'void')"),
    )
    op.create_index(
        "uq_payout_attempts_receipt",
        "payout_attempts",
        ["provider", "receipt"],
        unique=True,
        postgresql_where=sa.text("receipt IS NOT NULL"),
    )
    op.create_table(
        "provider_balances",
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("told_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_provider_balances_partner_id_partners")),
        sa.PrimaryKeyConstraint("partner_id", "provider", "account", name=op.f("pk_provider_balances")),
    )
    op.create_table(
        "tariff_bands",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("charge", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("from_minor", sa.BigInteger(), nullable=False),
        sa.Column("to_minor", sa.BigInteger(), nullable=False),
        sa.Column("fee_minor", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("charge IN ('mpesa_b2c', 'processing', 'sms')", name=op.f("ck_tariff_bands_charge")),
        sa.CheckConstraint(
            "from_minor >= 0 AND to_minor >= from_minor AND fee_minor >= 0", name=op.f("ck_tariff_bands_amounts")
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_tariff_bands_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariff_bands")),
        sa.UniqueConstraint(
            "partner_id",
            "charge",
            "currency",
            "valid_from",
            "from_minor",
            name=op.f("uq_tariff_bands_partner_id_charge_currency_valid_from_from_minor"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in (
        "tariff_bands",
        "provider_balances",
        "payout_attempts",
        "notifications",
        "loan_products",
        "disbursements",
        "contacts",
        "connections",
        "cases",
        "webhook_inbox",
        "saga_events",
        "provider_exchanges",
        "partners",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
