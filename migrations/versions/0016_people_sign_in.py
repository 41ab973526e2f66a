"""People sign in: their email, password, codes and scopes; links, browser sessions and what slows guesses; acts name persons.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TIME = sa.TIMESTAMP(timezone=True)
_NONE = sa.text("'[]'")
# What acted was a key of the table; now it may be a browser session.
_KEYS = (("decisions", "key_id"), ("proposals", "proposed_by_key"), ("proposals", "decided_by_key"))
_OF_PEOPLE = (
    "disabled_at", "makers", "timezone", "language", "scopes", "totp_last_step", "totp_sealed", "password_hash", "email",
)  # fmt: skip


def upgrade() -> None:
    op.add_column("people", sa.Column("email", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("password_hash", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("totp_sealed", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("totp_last_step", sa.BigInteger(), nullable=True))
    op.add_column("people", sa.Column("scopes", JSONB(), nullable=False, server_default=_NONE))
    op.add_column("people", sa.Column("language", sa.Text(), nullable=False, server_default=sa.text("'en'")))
    op.add_column("people", sa.Column("timezone", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("makers", JSONB(), nullable=False, server_default=_NONE))
    op.add_column("people", sa.Column("disabled_at", _TIME, nullable=True))
    op.create_unique_constraint(op.f("uq_people_email"), "people", ["email"])
    op.create_check_constraint(op.f("ck_people_email"), "people", "email = lower(email)")
    op.create_check_constraint(op.f("ck_people_language"), "people", "language IN ('en', 'sw')")
    op.add_column("audit_log", sa.Column("person_id", sa.Text(), nullable=True))
    op.create_foreign_key(op.f("fk_audit_log_person_id_people"), "audit_log", "people", ["person_id"], ["id"])
    op.create_index("ix_audit_log_subject", "audit_log", ["subject", "id"])
    for table, column in _KEYS:
        op.drop_constraint(op.f(f"fk_{table}_{column}_api_keys"), table, type_="foreignkey")
    op.execute("UPDATE cases SET owner = api_keys.person_id FROM api_keys WHERE api_keys.id = cases.owner")
    _create_tables()


def _create_tables() -> None:
    op.create_table(
        "sign_in_links",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("totp_sealed", sa.Text(), nullable=True),
        sa.Column("makers", JSONB(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'local')", name=op.f("ck_sign_in_links_purpose")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_sign_in_links_person_id_people")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_links")),
    )
    op.create_index("ix_sign_in_links_person_id", "sign_in_links", ["person_id"])
    op.create_table(
        "browser_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("proven_by", sa.Text(), nullable=False),
        sa.Column("csrf", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("idle_until", _TIME, nullable=False),
        sa.Column("ends_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("ended_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "proven_by IN ('password', 'password_and_code', 'invitation', 'link', 'openid')",
            name=op.f("ck_browser_sessions_proven_by"),
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name=op.f("ck_browser_sessions_ended")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_browser_sessions_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_browser_sessions_digest")),
    )
    op.create_index(
        "ix_browser_sessions_living", "browser_sessions", ["person_id"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.Column("waits_until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_failures")),
    )
    op.create_index("ix_sign_in_failures_last_at", "sign_in_failures", ["last_at"])


def downgrade() -> None:
    for table in ("sign_in_failures", "browser_sessions", "sign_in_links"):
        op.drop_table(table)
    op.execute("UPDATE cases SET owner = NULL WHERE owner LIKE 'psn%'")
    for table, column in _KEYS:
        # What sessions decided stays: only rows to come are held to the keys' table again.
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT fk_{table}_{column}_api_keys "
            f"FOREIGN KEY ({column}) REFERENCES api_keys (id) NOT VALID"
        )
    op.drop_index("ix_audit_log_subject", "audit_log")
    op.drop_constraint(op.f("fk_audit_log_person_id_people"), "audit_log", type_="foreignkey")
    op.drop_column("audit_log", "person_id")
    op.drop_constraint(op.f("ck_people_language"), "people")
    op.drop_constraint(op.f("ck_people_email"), "people")
    op.drop_constraint(op.f("uq_people_email"), "people")
    for column in _OF_PEOPLE:
        op.drop_column("people", column)
