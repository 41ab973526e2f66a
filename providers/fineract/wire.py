"""How Fineract spells things: credentials, dates, amounts, its error envelope and its hooks. Pure, no I/O.

Facts: fineract.md 1 (tenant, Basic), 2 (dates, amounts), 11 (error JSON), 12 (hooks).
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from core.bounded_json import Unreadable, read_json
from core.errors import InvalidRequest
from core.money import Money

DATE_FORMAT: Final = "yyyy-MM-dd"
LOCALE: Final = "en"

# The column behind the Idempotency-Key header is VARCHAR(50) (fineract.md 9).
MAX_IDEMPOTENCY_KEY: Final = 50
MAX_PAYMENT_TEXT: Final = 50
MAX_NOTE: Final = 1000
MAX_EXTERNAL_ID: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FineractCredentials:
    """A user of one tenant. `timezone` is its business zone (IANA), used only where the server gives no date.

    `savings_external_ids`: this server takes an external id on a deposit, as no release up to 1.15 does (fineract.md 7.2).
    `collections`: customers' payments are booked too, which needs more permissions.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    tenant: str = "default"
    timezone: str = "Africa/Nairobi"
    savings_external_ids: bool = False
    collections: bool = True

    def headers(self) -> dict[str, str]:
        """The headers that every call carries."""
        basic = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {
            "Authorization": f"Basic {basic}",
            "Fineract-Platform-TenantId": self.tenant,
            "Accept": "application/json",
        }


# ------------------------------------------------------------------------------------------------- dates and amounts


def spell_date(day: date) -> str:
    """For a command body, beside `dateFormat` and `locale`: "2026-06-29"."""
    return day.isoformat()


def spell_amount(money: Money) -> str:
    """For a command body in locale `en`: "10000.00", no grouping."""
    return money.amount


def read_date(value: Any) -> date | None:
    """From `[2026, 6, 29]` (with or without a time behind it) or an ISO string. Raises ValueError for anything else."""
    if value is None:
        return None
    if isinstance(value, list) and len(value) >= 3 and all(type(part) is int for part in value[:3]):
        try:
            return date(*value[:3])
        except OverflowError:
            raise ValueError("no date has such numbers") from None
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    raise ValueError("not a date as Fineract spells one")


def read_amount(value: Any, currency: str) -> Money | None:
    """From a JSON number such as 10000.000000, as Decimal. Raises InvalidRequest if the currency has fewer places."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("not an amount as Fineract spells one")
    return Money.parse(value, currency)


# -------------------------------------------------------------------------------------------------------- error bodies


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says. `code` is the most specific code, "" if the body is not Fineract's (HTML, a proxy)."""

    code: str
    parameter: str | None
    codes: frozenset[str]

    @property
    def readable(self) -> bool:
        return bool(self.codes)

    def says(self, fragment: str) -> bool:
        return any(fragment in code for code in self.codes)


def parse_complaint(body: Any) -> Complaint:
    """From the envelope, from a bare error item (malformed JSON), or from anything else (fineract.md 11)."""
    if not isinstance(body, dict):
        return Complaint("", None, frozenset())
    listed = body.get("errors")
    items = [item for item in (listed if isinstance(listed, list) else []) if isinstance(item, dict)]
    found: list[tuple[str, str | None]] = []
    for item in (*items, body):
        code, parameter = item.get("userMessageGlobalisationCode"), item.get("parameterName")
        if isinstance(code, str) and code:
            found.append((code, parameter if isinstance(parameter, str) else None))
    if not found:
        return Complaint("", None, frozenset())
    code, parameter = found[0]
    # Rule errors name no field: they carry the literal "id" (fineract.md 11).
    return Complaint(code, None if parameter == "id" else parameter, frozenset(code for code, _ in found))


# --------------------------------------------------------------------------------------------------------------- hooks


_PAYMENTS: Final = (("LOAN", "REPAYMENT"), ("SAVINGSACCOUNT", "DEPOSIT"))


@dataclass(frozen=True, slots=True)
class HookEvent:
    """A hint that something happened. Unsigned, may be lost or repeated: re-read the account before believing it.

    All ids are None for a command that failed or waits for a checker (they fire the same event without `response`).
    `transaction_id` is filled for LOAN/REPAYMENT and SAVINGSACCOUNT/DEPOSIT only: there `resourceId` is the transaction,
    elsewhere it is the account (fineract.md 6, 7).
    """

    entity: str
    action: str
    loan_id: int | None
    tenant: str | None
    savings_id: int | None = None
    transaction_id: int | None = None


def parse_hook(headers: Mapping[str, str], body: bytes | str) -> HookEvent:
    """From a JSON delivery; headers of Fineract or of old Mifos. Raises InvalidRequest if it is no hook at all."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        content = read_json(body)
    except Unreadable:
        raise InvalidRequest("The hook's body is not JSON.", field="body") from None
    if not isinstance(content, dict):
        raise InvalidRequest("The hook's body is not a JSON object.", field="body")
    entity = given.get("x-fineract-entity") or given.get("x-mifos-entity") or content.get("entityName")
    action = given.get("x-fineract-action") or given.get("x-mifos-action") or content.get("actionName")
    if not isinstance(entity, str) or not isinstance(action, str):
        raise InvalidRequest("The hook names no entity or no action.", field="body")
    entity, action = entity.upper(), action.upper()
    named = content.get("response")
    response: dict[str, Any] = named if isinstance(named, dict) else {}
    tenant = given.get("fineract-platform-tenantid") or given.get("x-mifos-platform-tenantid")
    return HookEvent(
        entity,
        action,
        _whole(response.get("loanId")),
        tenant,
        _whole(response.get("savingsId")),
        _whole(response.get("resourceId")) if (entity, action) in _PAYMENTS else None,
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or value != int(value):
        return None
    return int(value) if value > 0 else None
