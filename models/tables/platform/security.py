"""Who may do what, what they already asked for, and what they did."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Person(SQLModel, table=True):
    """Who stands behind keys and browser sessions. `partner_id` NULL: somebody of the house.

    Whoever has an `email`, in lower case, may be invited to sign in, and may then do what `scopes` say. `totp_sealed` is the
    secret of the codes that their phone shows; no code of `totp_last_step` or before counts again. `makers` are the people
    who stood behind the invitation by which the password was set: they were shown it, and could have used it.
    """

    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email"),
        CheckConstraint("language IN ('en', 'sw')", name="language"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    email: str | None = Field(default=None, sa_column=Column(Text, unique=True))
    password_hash: str | None = Field(default=None, sa_column=Column(Text))
    totp_sealed: str | None = Field(default=None, sa_column=Column(Text))
    totp_last_step: int | None = Field(default=None, sa_column=Column(BigInteger))
    scopes: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    language: str = Field(default="en", sa_column=Column(Text, nullable=False, server_default=text("'en'")))
    timezone: str | None = Field(default=None, sa_column=Column(Text))  # None: the partner's, or UTC
    makers: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    disabled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ApiKey(SQLModel, table=True):
    """A key's hash and scopes; the key itself is shown once. `partner_id` NULL: an admin key, for every partner.

    `makers` are the people behind the chain of keys that made it. Each of them was shown the key, or a key that could make
    it, and could use it: no two keys that share one of `{person_id} ∪ makers` are two people's.
    """

    __tablename__ = "api_keys"

    id: str = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    scopes: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    prefix: str = Field(sa_column=Column(Text, nullable=False))
    hash: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    makers: list[str] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    last_used_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class IdempotencyKey(SQLModel, table=True):
    """A claimed `Idempotency-Key`: who, which request, its body's hash, and the answer once there is one."""

    __tablename__ = "idempotency_keys"

    principal: str = Field(sa_column=Column(Text, primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    request: str = Field(sa_column=Column(Text, nullable=False))
    body_hash: str = Field(sa_column=Column(Text, nullable=False))
    status: int | None = Field(default=None, sa_column=Column(Integer))
    answer: Any = Field(default=None, sa_column=Column(JSONB))
    location: str | None = Field(default=None, sa_column=Column(Text))
    claimed_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class AuditEntry(SQLModel, table=True):
    """Who did what to what, and how it was before and after. Append-only by trigger; never holds a secret. `actor` is a
    key or a browser session, `person_id` who stood behind it; NULL for what no person did."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_subject", "subject", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    person_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("people.id")))
    action: str = Field(sa_column=Column(Text, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    before: Any = Field(default=None, sa_column=Column(JSONB))
    after: Any = Field(default=None, sa_column=Column(JSONB))
