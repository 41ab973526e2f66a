"""Tenants, their users and their calendar. The demo tenant is `default` with user `mifos` and password `password`."""

import base64
import binascii
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from fastapi import Request
from pydantic import BaseModel

from core.clock import local_date, utc_now
from simulators.fineract.replies import Problem, container_error, problem, rule
from simulators.world import World

TENANTS: Final = "fineract.tenants"
_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="Fineract Platform API"'}


class HolidaySeed(BaseModel):
    name: str
    fromDate: date
    toDate: date


class TenantSeed(BaseModel):
    """Makes a tenant, or changes it and adds the user. `businessDate` lags the calendar where it is set.

    `secondDisburse` is how a repeated disbursal is refused (403 on new servers, 400 on old ones, fineract.md 6);
    `namesTransactions=false` leaves `subResourceId` out of command answers, as old servers do. `secondExternalId` is how
    a repayment under a used external id is refused (400 or 403, fineract.md 6); `savingsExternalIds` makes deposits take
    one; `blocksClosedLoans` is the setting of later servers that refuses with a 403 of its own (fineract.md 7.1).
    `olderCodes` are the refusals of other versions than the one that was looked at (fineract.md 14): of amounts
    above the approved one, of dates before the disbursement, of loans that are not active, of used external ids.

    `authentication` names no permissions where it is "silent", and is not there at all where it is "off".

    `workingDays` and `holidays` (name, fromDate, toDate) bind loans unless the tenant allows transactions then.
    """

    tenant: str
    username: str = "mifos"
    password: str = "password"
    timezone: str = "Africa/Nairobi"
    permissions: list[str] = ["ALL_FUNCTIONS"]
    businessDate: date | None = None
    secondDisburse: int = 403
    namesTransactions: bool = True
    secondExternalId: int = 400
    savingsExternalIds: bool = False
    blocksClosedLoans: bool = False
    olderCodes: bool = False
    authentication: Literal["full", "silent", "off"] = "full"
    workingDays: str = "MO,TU,WE,TH,FR,SA,SU"
    holidays: list[HolidaySeed] = []
    allowOnHolidays: bool = False
    allowOnNonWorkingDays: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a user of a tenant."""

    tenant: str
    username: str
    settings: dict[str, Any]

    def must(self, permission: str) -> None:
        held = self.settings["users"][self.username]["permissions"]
        reads = permission.startswith("READ_") and "ALL_FUNCTIONS_READ" in held
        if permission not in held and "ALL_FUNCTIONS" not in held and not reads:
            raise problem(403, "error.msg.not.authorized")

    def must_be_open(self, day: date, what: str) -> None:
        """Raises the 403 for a loan's transaction on a day on which this tenant books none. `what`: "disbursement"."""
        if not self.settings["allowOnHolidays"]:
            for holiday in self.settings["holidays"]:
                if holiday["fromDate"] <= day.isoformat() <= holiday["toDate"]:
                    raise rule(f"error.msg.loan.application.{what}.date.on.holiday")
        working = self.settings["workingDays"].split(",")
        if not self.settings["allowOnNonWorkingDays"] and _WEEKDAYS[day.weekday()] not in working:
            raise rule(f"error.msg.loan.application.{what}.date.on.non.working.day")

    @property
    def business_date(self) -> date:
        return business_date(self.settings)


def business_date(settings: dict[str, Any]) -> date:
    fixed = settings.get("businessDate")
    return date.fromisoformat(fixed) if fixed else local_date(utc_now(), settings["timezone"])


class Tenants:
    def __init__(self, world: World) -> None:
        self._documents = world.documents
        if self._documents.get(TENANTS, "default") is None:
            self.seed(TenantSeed(tenant="default"))

    def seed(self, seed: TenantSeed) -> dict[str, Any]:
        document = self._documents.get(TENANTS, seed.tenant) or {"tenant": seed.tenant, "users": {}}
        document["users"][seed.username] = {"password": seed.password, "permissions": seed.permissions}
        # The rest are the tenant's own settings.
        document |= seed.model_dump(mode="json", exclude={"tenant", "username", "password", "permissions"})
        return self._documents.put(TENANTS, seed.tenant, document)

    def settings(self, tenant: str) -> dict[str, Any] | None:
        return self._documents.get(TENANTS, tenant)

    def of(self, request: Request) -> dict[str, Any]:
        """The tenant's settings, asked for before the user is: missing or unknown is a 400 with a challenge."""
        name = request.headers.get("fineract-platform-tenantid") or request.query_params.get("tenantIdentifier")
        settings = self.settings(name) if name else None
        if settings is None:
            raise Problem(400, None, _CHALLENGE)
        return settings

    def caller(self, request: Request) -> Caller:
        settings = self.of(request)
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        try:
            username, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            username = password = ""
        if scheme.lower() != "basic" or not self.knows(settings, username, password):
            raise unauthorized(request)
        return Caller(settings["tenant"], username, settings)

    @staticmethod
    def knows(settings: dict[str, Any], username: str, password: str) -> bool:
        user = settings["users"].get(username)
        return user is not None and user["password"] == password


def unauthorized(request: Request) -> Problem:
    """The servlet entry point's own JSON, which is not Fineract's envelope."""
    return Problem(401, container_error(401) | {"path": request.url.path}, _CHALLENGE)
