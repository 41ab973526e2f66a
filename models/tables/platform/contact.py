"""Whom we tell at a partner, and who may confirm with codes."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Text, text
from sqlmodel import Field, SQLModel


class Contact(SQLModel, table=True):
    """A person at the partner whom we tell things; an `authorised` one may also confirm with one-time codes.

    A `proposed` one is told nothing and may confirm nothing: it waits until a second person agrees.
    """

    __tablename__ = "contacts"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'proposed')", name="state"),
        CheckConstraint("role IN ('notify', 'authorised')", name="role"),
        CheckConstraint("phone IS NOT NULL OR email IS NOT NULL", name="reachable"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_column=Column(Text, ForeignKey("partners.id"), nullable=False, index=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    phone: str | None = Field(default=None, sa_column=Column(Text))
    email: str | None = Field(default=None, sa_column=Column(Text))
    role: str = Field(sa_column=Column(Text, nullable=False))
    language: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(default="active", sa_column=Column(Text, nullable=False, server_default=text("'active'")))
