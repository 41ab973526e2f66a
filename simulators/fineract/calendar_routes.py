"""The tenant's rules on days: global configurations, working days, holidays. Each needs a permission of its own."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request

from simulators.fineract.tenants import Caller

Handler = Callable[[Request, Caller], Awaitable[Any]]
Serve = Callable[[str, str, str], Callable[[Handler], Handler]]


def add_calendar_routes(serve: Serve) -> None:
    """`serve(method, path, what)` registers a handler (routes.py)."""

    @serve("GET", "/configurations", "configurations")
    async def configurations(request: Request, caller: Caller) -> Any:
        caller.must("READ_CONFIGURATION")
        flags = {
            "allow-transactions-on-holiday": caller.settings["allowOnHolidays"],
            "allow-transactions-on-non_workingday": caller.settings["allowOnNonWorkingDays"],
            "enable-business-date": bool(caller.settings.get("businessDate")),
        }
        return {
            "globalConfiguration": [
                {"name": name, "enabled": enabled, "value": 0, "id": number, "trapDoor": False}
                for number, (name, enabled) in enumerate(flags.items(), start=1)
            ]
        }

    @serve("GET", "/workingdays", "working_days")
    async def working_days(request: Request, caller: Caller) -> Any:
        caller.must("READ_WORKINGDAYS")
        days = caller.settings["workingDays"]
        return {"id": 1, "recurrence": f"FREQ=WEEKLY;INTERVAL=1;BYDAY={days}", "extendTermForDailyRepayments": False}

    @serve("GET", "/holidays", "holidays")
    async def holidays(request: Request, caller: Caller) -> Any:
        caller.must("READ_HOLIDAY")
        return [
            {"id": number, "name": row["name"], "fromDate": _array(row["fromDate"]), "toDate": _array(row["toDate"]),
             "officeId": 1, "status": {"id": 300, "code": "holidayStatusType.active", "value": "Active"}}
            for number, row in enumerate(caller.settings["holidays"], start=1)
        ]  # fmt: skip


def _array(day: str) -> list[int]:
    return [int(part) for part in day.split("-")]
