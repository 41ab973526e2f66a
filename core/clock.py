"""The one place that reads the clock. Workflow code uses `workflow.now()` instead."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def local_date(moment: datetime, zone: str) -> date:
    """The calendar day of an aware moment in an IANA zone ("Africa/Nairobi")."""
    return moment.astimezone(ZoneInfo(zone)).date()


def believed(told: datetime, ours: datetime, *, back: timedelta, slack: timedelta) -> datetime:
    """What a stranger's clock told of an event, if it lies at most `back` before and `slack` after our own moment of it and
    is not ahead of our clock by more than `slack`; else our own moment. All aware."""
    return told if ours - back <= told <= max(ours, utc_now()) + slack else ours
