"""What people are found by: keyed hashes of phones and of the words of names."""

from datetime import datetime

from sqlalchemy import Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class SearchTerm(SQLModel, table=True):
    """One phone, name or word of a name of one row: `subject` is the key of a row of the table `source`. `digest` is a keyed
    hash of it (`core/crypto.py: TermHasher`), `key_id` says by which key.

    It is written with the row and goes with what it was made of (`store/platform/retention.py`). No foreign key: the row that
    it describes has one.
    """

    __tablename__ = "search_terms"
    __table_args__ = (Index("ix_search_terms_digest", "digest", "partner_id", "at"),)

    source: str = Field(sa_type=Text, primary_key=True)
    subject: str = Field(sa_type=Text, primary_key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    key_id: str = Field(sa_column=Column(Text, nullable=False))
    partner_id: str = Field(sa_column=Column(Text, nullable=False))
    what: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class SearchFill(SQLModel, table=True):
    """How far the rows of one table, that were there before their terms or before a key, have been given terms: up to and
    with the key `after`. `done_at` once it was the last."""

    __tablename__ = "search_fills"

    source: str = Field(sa_type=Text, primary_key=True)
    key_id: str = Field(sa_type=Text, primary_key=True)
    after: str = Field(sa_column=Column(Text, nullable=False))
    rows: int = Field(nullable=False)
    done_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
