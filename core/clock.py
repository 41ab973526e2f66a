"""The one place that reads the clock. Workflow code uses `workflow.now()` instead."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def utc_now() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def local_date(moment: datetime, zone: str) -> date:
    """The calendar day of an aware moment in an IANA zone ("Africa/Nairobi")."""
    return moment.astimezone(ZoneInfo(zone)).date()
