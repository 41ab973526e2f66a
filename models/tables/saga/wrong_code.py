"""One-time codes that people got wrong."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class WrongCode(SQLModel, table=True):
    """One wrong try of a one-time code, by whom and for which partner: guesses are counted across purchases."""

    __tablename__ = "wrong_codes"
    __table_args__ = (
        Index("ix_wrong_codes_partner_id_at", "partner_id", "at"),
        Index("ix_wrong_codes_person_id_at", "person_id", "at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False))
    person_id: str = Field(sa_column=Column(Text, ForeignKey("people.id"), nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
