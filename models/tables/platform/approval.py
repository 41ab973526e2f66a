"""Approvals: what one person asks for and others must agree to, who answered, and the data that say how many are needed."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class ApprovalRequest(SQLModel, table=True):
    """An act that one person asks for and that happens only once enough others agree. Time never agrees.

    `content` is what exactly would be done, and `version` its digest: whoever answers names it, so that nobody agrees to
    something else than they saw. `barred` are the people who cannot agree: those behind the credential that asked, and who
    would profit. `scope` is what an approver needs, of the house alone if `house_only`; `approvers` is how many others were
    needed when it was asked for. `reminders` counts what the approvers were told. With a `workflow_id` a saga waits for
    the answer, and `told_at` says that it has it. The partial unique index lets a subject have one open request of an act.
    """

    __tablename__ = "approval_requests"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'approved', 'rejected', 'expired', 'cancelled', 'stale')", name="state"),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("approvers > 0", name="approvers"),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount"),
        Index("uq_approval_requests_open", "act", "subject", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_approval_requests_partner_id_id", "partner_id", "id"),
        Index("ix_approval_requests_workflow_id", "workflow_id", postgresql_where=text("workflow_id IS NOT NULL")),
        Index("ix_approval_requests_care", "state", "expires_at", postgresql_where=text("state = 'open'")),
        Index(
            "ix_approval_requests_untold", "ended_at",
            postgresql_where=text("workflow_id IS NOT NULL AND told_at IS NULL AND state <> 'open'"),
        ),
    )  # fmt: skip

    id: str = Field(sa_type=Text, primary_key=True)
    act: str = Field(sa_column=Column(Text, nullable=False))
    scope: str = Field(sa_column=Column(Text, nullable=False))
    house_only: bool = Field(sa_column=Column(Boolean, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    version: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    currency: str | None = Field(default=None, sa_column=Column(Text))
    evidence: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    requested_via: str = Field(sa_column=Column(Text, nullable=False))
    barred: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    beneficiaries: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    approvers: int = Field(sa_column=Column(SmallInteger, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    wrong_codes: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default=text("0")))
    reminders: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default=text("0")))
    escalated_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    note: str | None = Field(default=None, sa_column=Column(Text))
    told_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ApprovalDecision(SQLModel, table=True):
    """One person's answer to one version of a request: the unique row is the referee when two answers race. Append-only by
    trigger, and written only in the transaction that checked the person's proof. `people` are those behind the credential;
    `channel` is where it was given: `api` (and the command line), `console`, `temporal`."""

    __tablename__ = "approval_decisions"
    __table_args__ = (
        UniqueConstraint("request_id", "version", "person_id"),
        CheckConstraint("decision IN ('approve', 'reject')", name="decision"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    request_id: str = Field(sa_column=Column(Text, ForeignKey("approval_requests.id"), nullable=False))
    version: str = Field(sa_column=Column(Text, nullable=False))
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    on_behalf_of: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("people.id")))
    people: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    via: str = Field(sa_column=Column(Text, nullable=False))
    channel: str = Field(sa_column=Column(Text, nullable=False))
    decision: str = Field(sa_column=Column(Text, nullable=False))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class ApprovalCode(SQLModel, table=True):
    """A code that one person may type where no sign-in reaches (Temporal's own pages): for one version of one request,
    once. Only its keyed hash is kept."""

    __tablename__ = "approval_codes"
    __table_args__ = (ForeignKeyConstraint(["request_id"], ["approval_requests.id"], ondelete="CASCADE"),)

    request_id: str = Field(sa_type=Text, primary_key=True)
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), primary_key=True))
    version: str = Field(sa_column=Column(Text, nullable=False))
    hash: str = Field(sa_column=Column(Text, nullable=False))
    on_behalf_of: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("people.id")))
    people: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    via: str = Field(sa_column=Column(Text, nullable=False))
    made_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ApprovalDelegation(SQLModel, table=True):
    """For a time one person may answer as another. Made by an admin; never passed on."""

    __tablename__ = "approval_delegations"
    __table_args__ = (
        CheckConstraint("from_person <> to_person", name="two_people"),
        CheckConstraint("since < until", name="time"),
        Index("ix_approval_delegations_to_person", "to_person"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    from_person: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    to_person: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    since: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    made_by: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ApprovalPolicy(SQLModel, table=True):
    """How many others must agree to an act from an amount on (none, where an act may be done alone), and how patient it is.
    `act` "*" is every act's; `currency` "" any currency's, and acts without an amount. Times in seconds: reminders after
    being asked, then a wider circle, then the end, which is never a yes."""

    __tablename__ = "approval_policies"
    __table_args__ = (
        CheckConstraint("approvers >= 0 AND approvers <= 5", name="approvers"),
        CheckConstraint("from_minor >= 0", name="from_minor"),
        CheckConstraint("currency <> '' OR from_minor = 0", name="currency"),
        CheckConstraint("expire_after > 0 AND escalate_after > 0", name="times"),
    )

    act: str = Field(sa_type=Text, primary_key=True)
    currency: str = Field(sa_type=Text, primary_key=True)
    from_minor: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    approvers: int = Field(sa_column=Column(SmallInteger, nullable=False))
    remind_after: list[int] = Field(sa_column=Column(JSONB, nullable=False))
    escalate_after: int = Field(sa_column=Column(Integer, nullable=False))
    expire_after: int = Field(sa_column=Column(Integer, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
