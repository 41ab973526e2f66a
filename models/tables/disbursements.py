"""Loan disbursements as lists and pages read them, their timeline, and every attempt to pay."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime

STAGES = (
    "requested", "waiting_funds", "waiting_limit", "waiting_date", "paying", "in_review", "approval", "posting",
    "post_review",
    "settling", "completed", "refused", "failed", "withdrawn",
)  # fmt: skip
# Ended without the client being paid: only after one of these may the same loan be paid by another saga.
UNPAID_ENDS = ("refused", "failed", "withdrawn")
_IN_UNPAID = "('refused', 'failed', 'withdrawn')"


class Disbursement(SQLModel, table=True):
    """One saga for one approved loan. The partial unique index is the true guard against two sagas paying one loan:
    Temporal forgets workflow ids after its retention, this table never does. `tenant_key` says in whose books the loan
    is, whichever partner asks: see `OutsideClaim`."""

    __tablename__ = "disbursements"
    __table_args__ = (
        UniqueConstraint("tenant_key", "loan_id", "round"),
        Index(
            "uq_disbursements_living_loan", "tenant_key", "loan_id", unique=True,
            postgresql_where=text(f"stage NOT IN {_IN_UNPAID}"),
        ),
        Index("ix_disbursements_partner_id_id", "partner_id", "id"),
        Index("ix_disbursements_stage", "stage", postgresql_where=text("ended_at IS NULL")),
        Index("ix_disbursements_reserved", "partner_id", "product_id", "reserved_on"),
        CheckConstraint(f"stage IN {STAGES}", name="stage"),
        CheckConstraint("source IN ('poll', 'hook', 'api')", name="source"),
    )  # fmt: skip

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    tenant_key: str = Field(sa_column=Column(Text, nullable=False))
    loan_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    # Which core-banking tenant in the world the loan belongs to; "" where that is not known.
    round: int = Field(sa_column=Column(BigInteger, nullable=False))
    workflow_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    source: str = Field(sa_column=Column(Text, nullable=False))
    requested_by: str = Field(sa_column=Column(Text, nullable=False))
    stage: str = Field(sa_column=Column(Text, nullable=False))
    product_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    account_no: str | None = Field(default=None, sa_column=Column(Text))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    principal_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    charges_minor: int | None = Field(default=None, sa_column=Column(BigInteger))
    paid_minor: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    reserved_on: date | None = Field(default=None, sa_column=Column(Date))
    receipts: list[str] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    approved_on: date | None = Field(default=None, sa_column=Column(Date))
    reason_code: str | None = Field(default=None, sa_column=Column(Text))
    reason: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class SagaEvent(SQLModel, table=True):
    """One line of a saga's timeline. `key` makes writing it again harmless; append-only by trigger."""

    __tablename__ = "saga_events"
    __table_args__ = (
        UniqueConstraint("workflow_id", "key"),
        CheckConstraint("tone IN ('info', 'good', 'warning', 'bad')", name="tone"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    workflow_id: str = Field(sa_column=Column(Text, nullable=False))
    key: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    tone: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))


class PayoutAttempt(SQLModel, table=True):
    """One instruction to pay (a phone, a bank account, a float account), written and committed before it is sent.

    `void` is a fence: the leg asked for this reference's status and no row was there, so it was never sent, and now
    never can be. The partial unique index lets each part of a saga's payment have one attempt at a time that is not known
    to have failed. `account` is what pays (a short code, a bank account); a receipt is unique within it. After `send_by`
    the attempt may not leave any more.
    """

    __tablename__ = "payout_attempts"
    __table_args__ = (
        UniqueConstraint("leg_id", "number"),
        Index(
            "uq_payout_attempts_living", "workflow_id", "role", "part", unique=True,
            postgresql_where=text("state NOT IN ('failed', 'void')"),
        ),
        Index(
            "uq_payout_attempts_receipt", "provider", "account", "receipt", unique=True,
            postgresql_where=text("receipt IS NOT NULL"),
        ),
        Index("ix_payout_attempts_workflow_id", "workflow_id"),
        CheckConstraint(
            "state IN ('sending', 'not_sent', 'accepted', 'unknown', 'paid', 'failed', 'void')", name="state"
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("kind IN ('mobile', 'bank_transfer', 'float_purchase')", name="kind"),
        CheckConstraint("(msisdn IS NULL) <> (destination IS NULL)", name="destination"),
    )  # fmt: skip

    reference: str = Field(sa_type=Text, primary_key=True)
    leg_id: str = Field(sa_column=Column(Text, nullable=False))
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    part: int = Field(default=1, sa_column=Column(BigInteger, nullable=False))
    workflow_id: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    provider: str = Field(sa_column=Column(Text, nullable=False))
    account: str = Field(sa_column=Column(Text, nullable=False))
    amount_minor: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(default="mobile", sa_column=Column(Text, nullable=False, server_default=text("'mobile'")))
    msisdn: str | None = Field(default=None, sa_column=Column(Text))  # of a payout to a phone
    destination: str | None = Field(default=None, sa_column=Column(Text))  # of any other: the account it goes to
    state: str = Field(sa_column=Column(Text, nullable=False))
    provider_reference: str | None = Field(default=None, sa_column=Column(Text))
    receipt: str | None = Field(default=None, sa_column=Column(Text))
    code: str | None = Field(default=None, sa_column=Column(Text))
    detail: str | None = Field(default=None, sa_column=Column(Text))
    send_by: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    paid_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class Case(SQLModel, table=True):
    """Something that a person must decide. One open case per key; its evidence says why, `actions` what its saga would
    take as a decision, `owner` who looks at it."""

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'closed')", name="state"),
        Index("uq_cases_open_key", "key", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_cases_workflow_id", "workflow_id"),
        Index("ix_cases_open_kind", "kind", "id", postgresql_where=text("state = 'open'")),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    key: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    workflow_id: str | None = Field(default=None, sa_column=Column(Text))
    summary: str = Field(sa_column=Column(Text, nullable=False))
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    actions: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    owner: str | None = Field(default=None, sa_column=Column(Text))
    state: str = Field(sa_column=Column(Text, nullable=False))
    opened_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    closed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    closed_by: str | None = Field(default=None, sa_column=Column(Text))
    resolution: str | None = Field(default=None, sa_column=Column(Text))
