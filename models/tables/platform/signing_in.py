"""How people come in by a browser: links that work once, sessions, and what slows a guesser down."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class SignInLink(SQLModel, table=True):
    """An address that works once, by the digest of its secret part. `invitation`: to set a password and a phone's codes;
    `local`: to come in at once, on a developer's machine alone. `makers` are the people behind the key that made it."""

    __tablename__ = "sign_in_links"
    __table_args__ = (
        CheckConstraint("purpose IN ('invitation', 'local')", name="purpose"),
        Index("ix_sign_in_links_person_id", "person_id"),
    )

    digest: str = Field(sa_type=Text, primary_key=True)
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    # The secret of the phone's codes that an invitation offers: shown again when the page is opened again.
    totp_sealed: str | None = Field(default=None, sa_column=Column(Text))
    makers: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class BrowserSession(SQLModel, table=True):
    """Somebody signed in, by the digest of the cookie. It lives until `idle_until`, which each use moves on, and never
    beyond `ends_at`; `ended_at` ends it earlier. `csrf` is what every form of it carries. A row stays: acts name it."""

    __tablename__ = "browser_sessions"
    __table_args__ = (
        CheckConstraint("proven_by IN ('password', 'password_and_code', 'invitation', 'link', 'openid')", name="proven_by"),
        CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="ended"),
        Index("ix_browser_sessions_living", "person_id", postgresql_where=text("ended_at IS NULL")),
    )  # fmt: skip

    id: str = Field(sa_type=Text, primary_key=True)
    digest: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    proven_by: str = Field(sa_column=Column(Text, nullable=False))
    csrf: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    last_seen_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    idle_until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    ends_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    ended_why: str | None = Field(default=None, sa_column=Column(Text))


class SignInFailure(SQLModel, table=True):
    """How often somebody was wrong for one email address, or from one network, and until when the next try waits."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index("ix_sign_in_failures_last_at", "last_at"),)

    subject: str = Field(sa_type=Text, primary_key=True)
    count: int = Field(sa_column=Column(Integer, nullable=False))
    last_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    waits_until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
