"""What the list rows of all sagas share: who, how far, why not; and those whose money comes in. Each saga's own table adds
its facts."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from core.money import Money
from models.tables.base import UtcDateTime
from models.tables.searched import Searched, Term


class SagaRow(SQLModel):
    """`stage` follows the workflow; `ended_at` is set with the last one. Lists are read from here, never from Temporal.
    `policy` is what its saga starts with where that is not the usual one: a row alone says how its saga starts.
    `next_try_at` is when a step that did not go is tried again, after `tries` times since `trying_since`, for the reason
    that stands there.
    `client_reference` and `client_metadata` are the caller's own words for it, which we only keep and give back.
    `personal` are the columns that hold people's numbers: they are emptied some time after its end. `search` is what its
    rows are found by. `stages` says of each stage what it means, in a sentence for whoever reads the API's documentation.
    `moved_column` holds what has moved."""

    personal: ClassVar[tuple[str, ...]] = ()
    search: ClassVar[Searched] = Searched(by=(Term("client_reference", "reference"),))
    stages: ClassVar[dict[str, str]] = {}
    moved_column: ClassVar[str] = "amount_minor"

    id: str = Field(sa_type=Text, primary_key=True)
    partner_id: str = Field(sa_type=Text, foreign_key="partners.id", nullable=False)
    workflow_id: str = Field(sa_type=Text, nullable=False, unique=True)
    requested_by: str = Field(sa_type=Text, nullable=False)
    stage: str = Field(sa_type=Text, nullable=False)
    reason_code: str | None = Field(default=None, sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    next_try_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    trying_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tries: int | None = Field(default=None, sa_type=Integer)
    policy: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB, nullable=False)
    client_reference: str | None = Field(default=None, sa_type=Text)
    client_metadata: dict[str, str] | None = Field(default=None, sa_type=JSONB)
    created_at: datetime = Field(sa_type=UtcDateTime, nullable=False)
    updated_at: datetime = Field(sa_type=UtcDateTime, nullable=False)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def at_stake(self) -> Money | None:
        """The amount by which it is decided how many people must agree to something about it; None while it is not known."""
        minor, currency = getattr(self, "amount_minor", None), getattr(self, "currency", None)
        return None if minor is None or currency is None else Money(minor, currency)


def by_client_reference(table: str) -> Index:
    """The index by which a caller's own reference is found again; every saga's table has it."""
    return Index(
        f"ix_{table}_client_reference", "client_reference", "partner_id",
        postgresql_where=text("client_reference IS NOT NULL"),
    )  # fmt: skip


def by_time(table: str) -> Index:
    """The index by which reports find what began or ended in a period. Rows lie in the order in which they began, so a few
    pages of it tell where to look."""
    return Index(f"ix_{table}_times", "created_at", "ended_at", postgresql_using="brin")


class MoneyInRow(SagaRow):
    """A saga that takes money: `incoming_id` is the one payment that it took, `msisdn` whom it prompts. Tables declare
    both themselves, with the index that makes one payment one saga."""

    personal: ClassVar[tuple[str, ...]] = ("msisdn",)
    search: ClassVar[Searched] = SagaRow.search.also_by(Term("msisdn", "phone"))

    incoming_id: str | None
    msisdn: str | None

    @property
    def amount(self) -> Money:
        """What has come in, or was asked for."""
        raise NotImplementedError

    @property
    def began_by_payment(self) -> bool:
        """Whether nobody asked for the payment: it came, and this saga was made for it."""
        raise NotImplementedError

    @property
    def booked_receipt(self) -> str | None:
        """The receipt under which its money is booked, as the rail's prompts tell it."""
        raise NotImplementedError
