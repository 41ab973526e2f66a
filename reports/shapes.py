"""A report as data: tables with named columns. JSON, CSV, PDF and plain text are made of it alone, so all say the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from core.errors import InvalidRequest
from core.money import Money

Cell = str | int | Money | datetime | None
Kind = Literal["daily", "partner", "financial", "sms"]
LONGEST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is for machines and stays, `title` for people. Money and numbers stand to the right."""

    name: str
    title: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`about` says in a sentence what is counted. Every row has a cell for each column."""

    name: str
    title: str
    about: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both included, of a time zone (IANA)."""

    first: date
    last: date
    timezone: str

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidRequest("The period must begin before it ends.", code="period_empty", field="from_date")
        if (self.last - self.first).days >= LONGEST_DAYS:
            raise InvalidRequest(
                f"A report has at most {LONGEST_DAYS} days.", code="period_too_long", field="from_date"
            )

    @property
    def since(self) -> datetime:
        """Its first moment, in UTC."""
        return _midnight(self.first, self.timezone)

    @property
    def until(self) -> datetime:
        """The first moment that is no more in it, in UTC."""
        return _midnight(self.last + timedelta(days=1), self.timezone)

    def __str__(self) -> str:
        days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        return f"{days} ({self.timezone})"


@dataclass(frozen=True, slots=True)
class Scope:
    """What is read: whole days, of one partner or (None) of all. A message without a final report for `silent_after` counts
    as silent."""

    period: Period
    partner_id: str | None = None
    silent_after: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Report:
    """`as_of` is the moment that it was read at; `partner_name` is None for all partners together."""

    kind: Kind
    title: str
    period: Period
    partner_id: str | None
    partner_name: str | None
    as_of: datetime
    tables: tuple[Table, ...]

    @property
    def about(self) -> str:
        """Whom and which days it is about, in a line."""
        return f"{self.partner_name or 'All partners'}, {self.period}"

    def table(self, name: str | None) -> Table:
        """The one of this name, by default the first. Raises InvalidRequest for a name that there is not."""
        for table in self.tables:
            if name is None or table.name == name:
                return table
        known = ", ".join(table.name for table in self.tables)
        raise InvalidRequest(f"This report has the tables {known}.", code="unknown_table", field="table")


def _midnight(day: date, timezone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(timezone)).astimezone(UTC)
