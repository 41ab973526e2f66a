"""Reading the bank's calendar. What this user may not read is not known, which is no refusal: the bank has the last word.

Facts: fineract.md 2 (business date). The rules on holidays and weekdays are two of the global configurations; both are off
on a stock server, which then refuses a disbursement or repayment dated on such a day (fineract.md 6, 7).
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from core.clock import local_date, utc_now
from core.errors import NotAllowed, NotFound, NotYet
from providers.fineract.calendar import BankCalendar, Holiday, first_open_day, holidays, working_days
from providers.fineract.connection import FineractConnection
from providers.fineract.wire import DATE_FORMAT, LOCALE, read_date, spell_date

_ON_HOLIDAYS: Final = "allow-transactions-on-holiday"
_ON_OTHER_DAYS: Final = "allow-transactions-on-non_workingday"
# Rules change seldom, and a day that looks closed is always looked at afresh.
_RULES_KEPT: Final = timedelta(minutes=10)
_LONGEST_RETRY: Final = timedelta(minutes=10)
_AHEAD: Final = timedelta(days=400)
_BEHIND: Final = timedelta(days=60)

NO_ALLOWED_DATE: Final = "no_allowed_date"
_WHY: Final = {
    "on_holiday": "Fineract books nothing today, a holiday",
    "on_non_working_day": "Fineract books nothing today, which is no working day",
    "not_before": "Fineract's calendar has not come to the first date that it would take",
    "refused": "Fineract refused every date that may be given today",
}


class Calendars:
    def __init__(self, connection: FineractConnection) -> None:
        self._connection = connection
        self._no_business_date_until: datetime | None = None
        self._rules: dict[int | None, tuple[datetime, frozenset[int] | None, tuple[Holiday, ...]]] = {}

    async def read(self, *, office_id: int | None = None, rules: bool = False, fresh: bool = False) -> BankCalendar:
        """The bank's today; with `rules` also the days on which it books no loan transaction. Raises Transient."""
        now = utc_now()
        if fresh:
            self._no_business_date_until = None
            self._rules.pop(office_id, None)
        zone = self._connection.credentials.timezone
        calendar = BankCalendar(await self._business_date(now) or local_date(now, zone), zone)
        if not rules:
            return calendar
        kept = self._rules.get(office_id)
        if kept is None or kept[0] < now:
            kept = (now + _RULES_KEPT, *await self._read_rules(calendar.today, office_id))
            self._rules[office_id] = kept
        calendar = replace(calendar, working=kept[1], holidays=kept[2])
        if calendar.why_closed(calendar.today) and not fresh:
            return await self.read(office_id=office_id, rules=True, fresh=True)
        return calendar

    async def _business_date(self, now: datetime) -> date | None:
        """None where the tenant keeps none, which is remembered for a while."""
        if self._no_business_date_until is not None and now < self._no_business_date_until:
            return None
        for row in await self._may_read("business_date.read", "/v1/businessdate") or []:
            if isinstance(row, dict) and row.get("type") == "BUSINESS_DATE":
                try:
                    day = read_date(row.get("date"))
                except ValueError:
                    break
                if day is not None:
                    return day
        self._no_business_date_until = now + _RULES_KEPT
        return None

    async def _read_rules(
        self, today: date, office_id: int | None
    ) -> tuple[frozenset[int] | None, tuple[Holiday, ...]]:
        body = await self._may_read("configurations.read", "/v1/configurations")
        flags = body.get("globalConfiguration") if isinstance(body, dict) else None
        allowed = {
            row.get("name"): row.get("enabled") for row in (flags if isinstance(flags, list) else [])
            if isinstance(row, dict)
        }  # fmt: skip
        working, days_off = None, tuple[Holiday, ...]()
        if allowed.get(_ON_OTHER_DAYS) is False:
            working = working_days(await self._may_read("working_days.read", "/v1/workingdays"))
        if allowed.get(_ON_HOLIDAYS) is False:
            wanted = {
                "officeId": office_id or 1,
                "fromDate": spell_date(today - _BEHIND),
                "toDate": spell_date(today + _AHEAD),
                "dateFormat": DATE_FORMAT,
                "locale": LOCALE,
            }
            days_off = holidays(await self._may_read("holidays.read", "/v1/holidays", wanted))
        return working, days_off

    async def _may_read(self, operation: str, path: str, wanted: dict[str, Any] | None = None) -> Any:
        try:
            return await self._connection.read(operation, path, wanted)
        except (NotAllowed, NotFound):
            return None


def no_allowed_date(calendar: BankCalendar, not_before: date | None, *, refused: bool = False) -> NotYet:
    """For raising: nothing may be booked now. `extra`: `why`, and `opens_on` and `opens_at` (ISO) where they are known."""
    why = "refused" if refused else calendar.why_closed(calendar.today) or "not_before"
    opens = None if refused else first_open_day(calendar, not_before)
    if opens is None or opens <= calendar.today:
        opens = calendar.today + timedelta(days=1)
    opens_at = calendar.starts(opens)
    until = max(opens_at - utc_now(), timedelta(seconds=1))
    return NotYet(
        f"{_WHY[why]}; the next possible date is {opens}.",
        code=NO_ALLOWED_DATE,
        retry_after=min(until, _LONGEST_RETRY),
        why=why,
        opens_on=opens.isoformat(),
        opens_at=opens_at.isoformat(),
    )
