"""When what runs by the clock last ran to its end."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Text
from sqlmodel import Field, SQLModel

from models.tables.base import UtcDateTime


class Pulse(SQLModel, table=True):
    """The last good run of one schedule (`sweep`, `loan-watch/prt_…`), which is to run each `every_seconds`. `partner_id`
    NULL: the house's."""

    __tablename__ = "pulses"

    name: str = Field(sa_type=Text, primary_key=True)
    partner_id: str | None = Field(default=None, sa_column=Column(Text, ForeignKey("partners.id")))
    every_seconds: int = Field(nullable=False)
    ran_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
