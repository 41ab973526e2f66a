"""People behind keys, decisions as rows, proposals that wait for a second person.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from core.ids import PERSON, derived_id

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TIME = sa.TIMESTAMP(timezone=True)
# Every key that there is already was made by whoever set the installation up: one person, until new keys name others.
_INSTALLATION = derived_id(PERSON, "installation")
_LOANS = (
    "requested", "waiting_funds", "waiting_limit", "paying", "in_review", "posting", "post_review", "settling",
    "completed", "refused", "failed", "withdrawn",
)  # fmt: skip
_COLLECTIONS = (
    "requested", "prompting", "in_review", "identifying", "waiting_account", "posting", "post_review", "settling",
    "completed", "merged", "returned", "failed", "expired", "withdrawn",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_people_partner_id_partners")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    op.add_column("api_keys", sa.Column("person_id", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("makers", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'")))
    op.execute(
        sa.text(
            "INSERT INTO people (id, name, created_at, created_by) "
            "SELECT :id, 'installation', now(), 'bootstrap' WHERE EXISTS (SELECT FROM api_keys)"
        ).bindparams(id=_INSTALLATION)
    )
    op.execute(sa.text("UPDATE api_keys SET person_id = :id").bindparams(id=_INSTALLATION))
    op.alter_column("api_keys", "person_id", nullable=False)
    op.create_foreign_key(op.f("fk_api_keys_person_id_people"), "api_keys", "people", ["person_id"], ["id"])
    op.add_column("contacts", sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'active'")))
    op.create_check_constraint(op.f("ck_contacts_state"), "contacts", "state IN ('active', 'proposed')")
    op.create_table(
        "decisions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("people", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_decisions_key_id_api_keys")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_decisions_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_workflow_id", "decisions", ["workflow_id"])
    op.execute(
        "CREATE TRIGGER decisions_append_only BEFORE UPDATE OR DELETE ON decisions "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "proposals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=True),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("proposed_by_key", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("people", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by_key", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.CheckConstraint("state IN ('open', 'agreed', 'declined', 'expired')", name=op.f("ck_proposals_state")),
        sa.CheckConstraint(
            "(state IN ('agreed', 'declined')) = (decided_by_key IS NOT NULL)", name=op.f("ck_proposals_decided")
        ),
        sa.ForeignKeyConstraint(["decided_by_key"], ["api_keys.id"], name=op.f("fk_proposals_decided_by_key_api_keys")),
        sa.ForeignKeyConstraint(["decided_by"], ["people.id"], name=op.f("fk_proposals_decided_by_people")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_proposals_partner_id_partners")),
        sa.ForeignKeyConstraint(
            ["proposed_by_key"], ["api_keys.id"], name=op.f("fk_proposals_proposed_by_key_api_keys")
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["people.id"], name=op.f("fk_proposals_proposed_by_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
    )
    op.create_index("ix_proposals_partner_id_id", "proposals", ["partner_id", "id"])
    op.create_index(
        "uq_proposals_open", "proposals", ["act", "subject"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.create_table(
        "wrong_codes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("partner_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_wrong_codes_partner_id_partners")),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_wrong_codes_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wrong_codes")),
    )
    op.create_index("ix_wrong_codes_partner_id_at", "wrong_codes", ["partner_id", "at"])
    op.create_index("ix_wrong_codes_person_id_at", "wrong_codes", ["person_id", "at"])
    _stages("disbursements", (*_LOANS, "approval"))
    _stages("collections", (*_COLLECTIONS, "approval"))


def downgrade() -> None:
    for table in ("disbursements", "collections"):
        op.execute(f"UPDATE {table} SET stage = 'in_review' WHERE stage = 'approval'")  # noqa: S608
    _stages("collections", _COLLECTIONS)
    _stages("disbursements", _LOANS)
    op.drop_table("wrong_codes")
    op.drop_table("proposals")
    op.drop_table("decisions")
    op.execute("DELETE FROM contacts WHERE state = 'proposed'")
    op.drop_constraint(op.f("ck_contacts_state"), "contacts")
    op.drop_column("contacts", "state")
    op.drop_constraint(op.f("fk_api_keys_person_id_people"), "api_keys")
    op.drop_column("api_keys", "makers")
    op.drop_column("api_keys", "person_id")
    op.drop_table("people")


def _stages(table: str, stages: tuple[str, ...]) -> None:
    op.drop_constraint(op.f(f"ck_{table}_stage"), table)
    op.create_check_constraint(op.f(f"ck_{table}_stage"), table, f"stage IN {stages}")
