"""A partner is any family's client: its hook's address is that of its Fineract connection; what columns may name is in tables
that are filled from the code's own lists.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# As they were when this was written; later ones are added by `store/migrate.py` from `models/providers.py`.
_PROVIDERS = ("fineract", "daraja", "bank")
_CLAIM_KINDS = {
    "fineract_tenant": "fineract", "fineract_identity": "fineract", "mpesa_shortcode": "daraja", "bank_account": "bank",
}  # fmt: skip
# Table and the list that its CHECK held.
_CHECKED = {
    "connections": ("fineract", "daraja", "bank"),
    "incoming_payments": ("daraja", "bank"),
    "vetted_addresses": ("fineract", "daraja"),
}
_COLUMNS = ("secret", "digest")


def upgrade() -> None:
    _make_lists()
    for table in _CHECKED:
        op.drop_constraint(op.f(f"ck_{table}_provider"), table)
        op.create_foreign_key(op.f(f"fk_{table}_provider_providers"), table, "providers", ["provider"], ["name"])
    op.drop_constraint(op.f("ck_outside_claims_kind"), "outside_claims")
    op.create_foreign_key(
        op.f("fk_outside_claims_kind_claim_kinds"), "outside_claims", "claim_kinds", ["kind"], ["name"]
    )
    _rename_addresses("push", "address")
    op.execute(
        "UPDATE connections SET address_secret = p.hook_secret, address_digest = p.hook_digest,"
        " old_address_digest = p.old_hook_digest, old_address_until = p.old_hook_until"
        " FROM partners p WHERE p.id = connections.partner_id AND connections.provider = 'fineract'"
    )
    # Messages that were stored and not read yet are read by the provider's name.
    op.execute("UPDATE webhook_inbox SET endpoint = 'daraja' || substr(endpoint, 6) WHERE endpoint LIKE 'mpesa.%'")
    op.drop_index(op.f("ix_partners_old_hook_digest"), "partners")
    op.drop_constraint(op.f("uq_partners_hook_digest"), "partners")
    for column in ("hook_secret", "hook_digest", "old_hook_digest", "old_hook_until"):
        op.drop_column("partners", column)


def downgrade() -> None:
    op.execute("UPDATE webhook_inbox SET endpoint = 'mpesa' || substr(endpoint, 7) WHERE endpoint LIKE 'daraja.%'")
    for name in ("hook_secret", "hook_digest", "old_hook_digest"):
        op.add_column("partners", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("partners", sa.Column("old_hook_until", sa.TIMESTAMP(timezone=True), nullable=True))
    op.execute(
        "UPDATE partners SET hook_secret = c.address_secret, hook_digest = c.address_digest,"
        " old_hook_digest = c.old_address_digest, old_hook_until = c.old_address_until"
        " FROM connections c WHERE c.partner_id = partners.id AND c.provider = 'fineract'"
    )
    # A partner that never had a Fineract gets an address that nobody can know.
    op.execute("UPDATE partners SET hook_secret = id, hook_digest = id WHERE hook_digest IS NULL")
    op.alter_column("partners", "hook_secret", nullable=False)
    op.alter_column("partners", "hook_digest", nullable=False)
    op.create_unique_constraint(op.f("uq_partners_hook_digest"), "partners", ["hook_digest"])
    op.create_index(op.f("ix_partners_old_hook_digest"), "partners", ["old_hook_digest"])
    op.execute(
        "UPDATE connections SET address_secret = NULL, address_digest = NULL, old_address_digest = NULL,"
        " old_address_until = NULL WHERE provider = 'fineract'"
    )
    _rename_addresses("address", "push")
    op.drop_constraint(op.f("fk_outside_claims_kind_claim_kinds"), "outside_claims")
    op.create_check_constraint(op.f("ck_outside_claims_kind"), "outside_claims", f"kind IN {tuple(_CLAIM_KINDS)}")
    for table, allowed in _CHECKED.items():
        op.drop_constraint(op.f(f"fk_{table}_provider_providers"), table)
        op.create_check_constraint(op.f(f"ck_{table}_provider"), table, f"provider IN {allowed}")
    op.drop_table("claim_kinds")
    op.drop_table("providers")


def _make_lists() -> None:
    providers = op.create_table(
        "providers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_providers")),
    )
    kinds = op.create_table(
        "claim_kinds",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_claim_kinds")),
        sa.ForeignKeyConstraint(["provider"], ["providers.name"], name=op.f("fk_claim_kinds_provider_providers")),
    )
    op.bulk_insert(providers, [{"name": name} for name in _PROVIDERS])
    op.bulk_insert(kinds, [{"name": name, "provider": provider} for name, provider in _CLAIM_KINDS.items()])


def _rename_addresses(before: str, after: str) -> None:
    """The columns of a connection's secret address, with their constraint and index."""
    names = {f"{before}_{column}": f"{after}_{column}" for column in _COLUMNS}
    names |= {f"old_{before}_{column}": f"old_{after}_{column}" for column in ("digest", "until")}
    for old, new in names.items():
        op.alter_column("connections", old, new_column_name=new)
    op.execute(
        f"ALTER TABLE connections RENAME CONSTRAINT uq_connections_{before}_digest TO uq_connections_{after}_digest"
    )
    op.execute(f"ALTER INDEX ix_connections_old_{before}_digest RENAME TO ix_connections_old_{after}_digest")
