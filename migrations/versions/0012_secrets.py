"""Secret addresses sealed and rotated; personal data erased after its time.

Revision ID: 0012
Revises: 0011
"""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

from core.crypto import CredentialBox
from core.settings import get_settings

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KINDS = (("partners", "hook"), ("connections", "push"))


def upgrade() -> None:
    for table, kind in _KINDS:
        op.drop_constraint(op.f(f"uq_{table}_{kind}_secret"), table)
        op.add_column(table, sa.Column(f"{kind}_digest", sa.Text(), nullable=True))
        op.add_column(table, sa.Column(f"old_{kind}_digest", sa.Text(), nullable=True))
        op.add_column(table, sa.Column(f"old_{kind}_until", sa.TIMESTAMP(timezone=True), nullable=True))
        _change_each(table, f"{kind}_secret", f"{kind}_digest", seal=True)
        op.create_unique_constraint(op.f(f"uq_{table}_{kind}_digest"), table, [f"{kind}_digest"])
        op.create_index(op.f(f"ix_{table}_old_{kind}_digest"), table, [f"old_{kind}_digest"])
    op.alter_column("partners", "hook_digest", nullable=False)
    # Erased once the prompt has ended and the policy time has passed.
    op.alter_column("prompts", "msisdn", nullable=True)


def downgrade() -> None:
    op.execute("UPDATE prompts SET msisdn = '-' WHERE msisdn IS NULL")
    op.alter_column("prompts", "msisdn", nullable=False)
    for table, kind in _KINDS:
        op.drop_index(op.f(f"ix_{table}_old_{kind}_digest"), table)
        op.drop_constraint(op.f(f"uq_{table}_{kind}_digest"), table)
        _change_each(table, f"{kind}_secret", None, seal=False)
        for column in (f"{kind}_digest", f"old_{kind}_digest", f"old_{kind}_until"):
            op.drop_column(table, column)
        op.create_unique_constraint(op.f(f"uq_{table}_{kind}_secret"), table, [f"{kind}_secret"])


def _change_each(table: str, secret: str, digest: str | None, *, seal: bool) -> None:
    """Seals or opens the addresses that are there, with the installation's own keys."""
    connection = op.get_bind()
    rows = connection.execute(sa.text(f"SELECT id, {secret} FROM {table} WHERE {secret} IS NOT NULL")).all()  # noqa: S608
    if not rows:
        return
    box = CredentialBox([key.get_secret_value() for key in get_settings().security.credential_keys])
    for row_id, stored in rows:
        values = {"id": row_id, "secret": box.seal(stored) if seal else box.open(stored)}
        changes = f"{secret} = :secret"
        if digest is not None:
            values["digest"] = sha256(stored.encode()).hexdigest()
            changes += f", {digest} = :digest"
        connection.execute(sa.text(f"UPDATE {table} SET {changes} WHERE id = :id"), values)  # noqa: S608
