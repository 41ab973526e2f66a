"""Approvals: one mechanism for what needs more than one person, with versions, codes, delegates and thresholds as data.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_MOMENT = sa.TIMESTAMP(timezone=True)
_EMPTY = sa.text("'[]'")


def upgrade() -> None:
    _requests()
    _answers()
    _policies()
    op.execute(
        """
        INSERT INTO approval_requests (id, act, scope, house_only,
                                       subject, partner_id, content, version, evidence, requested_by, requested_via,
                                       barred, approvers, state, created_at, expires_at, ended_at, note)
        SELECT 'apr_' || substr(id, 5), act,
               CASE act WHEN 'contacts.authorise' THEN 'partners:write' WHEN 'disbursements.again' THEN 'disbursements:write'
                        ELSE 'admin' END,
               act = 'claims.move', subject, partner_id, content, md5(content::text), evidence, proposed_by,
               proposed_by_key, people, 1,
               CASE state WHEN 'agreed' THEN 'approved' WHEN 'declined' THEN 'rejected' ELSE state END,
               created_at, expires_at, CASE WHEN state <> 'open' THEN coalesce(decided_at, expires_at) END, note
          FROM proposals
        """
    )
    op.drop_table("proposals")
    # A decision may be made by a sign-in, which is no key.
    op.alter_column("decisions", "key_id", new_column_name="via")


def _requests() -> None:
    op.create_table(
        "approval_requests",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("house_only", sa.Boolean(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("partner_id", sa.Text(), sa.ForeignKey("partners.id"), nullable=True),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("requested_via", sa.Text(), nullable=False),
        sa.Column("barred", JSONB(), nullable=False),
        sa.Column("beneficiaries", JSONB(), nullable=False, server_default=_EMPTY),
        sa.Column("approvers", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wrong_codes", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("reminders", sa.SmallInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("escalated_at", _MOMENT, nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("told_at", _MOMENT, nullable=True),
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected', 'expired', 'cancelled', 'stale')", name="state"),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended"),
        sa.CheckConstraint("approvers > 0", name="approvers"),
        sa.CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount"),
    )
    is_open = sa.text("state = 'open'")
    op.create_index(
        "uq_approval_requests_open", "approval_requests", ["act", "subject"], unique=True, postgresql_where=is_open
    )
    op.create_index("ix_approval_requests_partner_id_id", "approval_requests", ["partner_id", "id"])
    op.create_index(
        "ix_approval_requests_workflow_id", "approval_requests", ["workflow_id"],
        postgresql_where=sa.text("workflow_id IS NOT NULL"),
    )  # fmt: skip
    op.create_index("ix_approval_requests_care", "approval_requests", ["state", "expires_at"], postgresql_where=is_open)
    op.create_index(
        "ix_approval_requests_untold", "approval_requests", ["ended_at"],
        postgresql_where=sa.text("workflow_id IS NOT NULL AND told_at IS NULL AND state <> 'open'"),
    )  # fmt: skip


def _answers() -> None:
    op.create_table(
        "approval_decisions",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("request_id", sa.Text(), sa.ForeignKey("approval_requests.id"), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), sa.ForeignKey("people.id"), nullable=True),
        sa.Column("people", JSONB(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("request_id", "version", "person_id"),
        sa.CheckConstraint("decision IN ('approve', 'reject')", name="decision"),
    )
    op.execute(
        "CREATE TRIGGER approval_decisions_append_only BEFORE UPDATE OR DELETE ON approval_decisions "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "approval_codes",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("on_behalf_of", sa.Text(), sa.ForeignKey("people.id"), nullable=True),
        sa.Column("people", JSONB(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("made_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("request_id", "person_id"),
        sa.ForeignKeyConstraint(["request_id"], ["approval_requests.id"], ondelete="CASCADE"),
    )
    op.create_table(
        "approval_delegations",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("from_person", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("to_person", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.Column("made_by", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("revoked_at", _MOMENT, nullable=True),
        sa.CheckConstraint("from_person <> to_person", name="two_people"),
        sa.CheckConstraint("since < until", name="time"),
    )
    op.create_index("ix_approval_delegations_to_person", "approval_delegations", ["to_person"])


def _policies() -> None:
    op.create_table(
        "approval_policies",
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("from_minor", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("approvers", sa.SmallInteger(), nullable=False),
        sa.Column("remind_after", JSONB(), nullable=False),
        sa.Column("escalate_after", sa.Integer(), nullable=False),
        sa.Column("expire_after", sa.Integer(), nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("act", "currency", "from_minor"),
        sa.CheckConstraint("approvers >= 0 AND approvers <= 5", name="approvers"),
        sa.CheckConstraint("from_minor >= 0", name="from_minor"),
        sa.CheckConstraint("currency <> '' OR from_minor = 0", name="currency"),
        sa.CheckConstraint("expire_after > 0 AND escalate_after > 0", name="times"),
    )
    # One other person; reminded after 4 and 24 hours, a wider circle after two days, void after a week.
    for act in ("*", "wallets.credit"):
        op.execute(
            f"INSERT INTO approval_policies VALUES ('{act}', '', 0, 1, '[14400, 86400]', 172800, 604800, now())"  # noqa: S608
        )


def downgrade() -> None:
    """Requests of sagas, codes, delegates and thresholds go; what sagas wait for can be proposed anew."""
    op.alter_column("decisions", "via", new_column_name="key_id")
    op.create_table(
        "proposals",
        sa.Column("id", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("act", "subject")),
        sa.Column("partner_id", sa.Text(), sa.ForeignKey("partners.id"), nullable=True),
        sa.Column("content", JSONB(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("proposed_by_key", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), sa.ForeignKey("people.id"), nullable=False),
        sa.Column("people", JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by_key", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), sa.ForeignKey("people.id"), nullable=True),
        sa.Column("decided_at", _MOMENT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.CheckConstraint("state IN ('open', 'agreed', 'declined', 'expired')", name="state"),
        sa.CheckConstraint("(state IN ('agreed', 'declined')) = (decided_by_key IS NOT NULL)", name="decided"),
    )
    op.create_index("ix_proposals_partner_id_id", "proposals", ["partner_id", "id"])
    op.create_index(
        "uq_proposals_open", "proposals", ["act", "subject"], unique=True, postgresql_where=sa.text("state = 'open'")
    )
    op.execute(
        """
        INSERT INTO proposals (id, act, subject, partner_id, content, evidence, proposed_by_key, proposed_by, people, state,
                               created_at, expires_at, note)
        SELECT 'prp_' || substr(id, 5), act, subject, partner_id, content, evidence, requested_via, requested_by, barred,
               CASE state WHEN 'open' THEN 'open' ELSE 'expired' END, created_at, expires_at, note
          FROM approval_requests WHERE workflow_id IS NULL
        """
    )
    for table in (
        "approval_policies",
        "approval_delegations",
        "approval_codes",
        "approval_decisions",
        "approval_requests",
    ):
        op.drop_table(table)
