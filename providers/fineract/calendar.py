"""The core bank's own calendar: which day it has now, and on which day a payment may be booked. Pure, no I/O.

Every date that is posted comes from here. The bank's today is its business date where it keeps one, else the calendar day
in the connection's zone; the lender's zone plays no part (fineract.md 2).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.clock import local_date
from providers.fineract.wire import read_date

_DAY: Final = timedelta(days=1)
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ACTIVE_HOLIDAY: Final = 300
_LONGEST_LOOK_AHEAD: Final = 366


@dataclass(frozen=True, slots=True)
class Holiday:
    """Both days included."""

    first: date
    last: date
    name: str = ""


@dataclass(frozen=True, slots=True)
class BankCalendar:
    """`working` holds weekdays (0 is Monday), None where every day is one or nobody may tell us; `holidays` only those on
    which the bank books nothing."""

    today: date
    zone: str
    working: frozenset[int] | None = None
    holidays: tuple[Holiday, ...] = ()

    def why_closed(self, day: date) -> str | None:
        """ "on_holiday", "on_non_working_day", or None if the bank books on that day as far as we can tell."""
        if any(holiday.first <= day <= holiday.last for holiday in self.holidays):
            return "on_holiday"
        if self.working is not None and day.weekday() not in self.working:
            return "on_non_working_day"
        return None

    def starts(self, day: date) -> datetime:
        """The first moment of a day in the bank's zone."""
        return datetime.combine(day, time(), ZoneInfo(self.zone))


def date_to_post(moment: datetime, calendar: BankCalendar, not_before: date | None = None) -> date | None:
    """The day to book for something that happened at `moment`: its own day on the bank's calendar, moved only as far as the
    bank's rules demand; None if no day is allowed now.

    `not_before`: the loan's approval or disbursement, the savings account's activation.
    """
    day = min(local_date(moment, calendar.zone), calendar.today)
    if not_before is not None:
        day = max(day, not_before)
    return next_open_day(calendar, day, calendar.today)


def next_open_day(calendar: BankCalendar, first: date, last: date) -> date | None:
    """The first day from `first` to `last` (both included) on which the bank books."""
    day = first
    while day <= last:
        if calendar.why_closed(day) is None:
            return day
        day += _DAY
    return None


def first_open_day(calendar: BankCalendar, not_before: date | None) -> date | None:
    """The next day on which something may be booked, today included; None if it is not within a year."""
    first = max(calendar.today, not_before or calendar.today)
    return next_open_day(calendar, first, first + _LONGEST_LOOK_AHEAD * _DAY)


def working_days(body: Any) -> frozenset[int] | None:
    """From `{"recurrence": "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU"}`; None for anything else."""
    recurrence = body.get("recurrence") if isinstance(body, dict) else None
    for part in recurrence.split(";") if isinstance(recurrence, str) else []:
        name, _, days = part.partition("=")
        if name.strip().upper() == "BYDAY":
            known = {day.strip().upper() for day in days.split(",")} & set(_WEEKDAYS)
            return frozenset(_WEEKDAYS.index(day) for day in known) or None
    return None


def holidays(rows: Any) -> tuple[Holiday, ...]:
    """The active ones; a row that cannot be read says nothing."""
    return tuple(_holidays(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ())


def _holidays(rows: Iterable[dict[str, Any]]) -> Iterable[Holiday]:
    for row in rows:
        status = row.get("status")
        if isinstance(status, dict) and status.get("id", _ACTIVE_HOLIDAY) != _ACTIVE_HOLIDAY:
            continue
        try:
            first, last = read_date(row.get("fromDate")), read_date(row.get("toDate"))
        except ValueError:
            continue
        if first is not None:
            yield Holiday(first, last or first, str(row.get("name", "")))
