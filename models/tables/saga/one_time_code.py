"""One-time codes, of which a keyed hash is kept."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class OneTimeCode(SQLModel, table=True):
    """A one-time code for one purpose, of which only a keyed hash is kept. Bound to subject and amount by the hash; one
    living code per subject."""

    __tablename__ = "one_time_codes"
    __table_args__ = (
        CheckConstraint("tries >= 0 AND tries <= max_tries", name="tries"),
        Index("uq_one_time_codes_subject_number", "subject", "number", unique=True),
        Index("ix_one_time_codes_living", "subject", postgresql_where=text("used_at IS NULL")),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))
    hash: str = Field(sa_column=Column(Text, nullable=False))
    tries: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    max_tries: int = Field(sa_column=Column(Integer, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    used_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
