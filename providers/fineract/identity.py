"""What a tenant says of itself that all addresses of its server share and other servers do not.

Two host names of one server cannot be told apart by name, and a loan behind both would be paid twice. Fineract has no id of
its own, so its first clients and loans speak for it: their ids, numbers and dates of submission do not change. Users whose
offices differ may see different first rows, so equal identities prove one tenant and different ones prove nothing.
"""

import json
from hashlib import sha256
from typing import Any, Final

from providers.fineract.connection import FineractConnection
from providers.fineract.shapes import Unreadable

# Always the same number, so that a growing tenant keeps its identity; with fewer rows two new tenants might look alike.
_ROWS: Final = 3
_CLIENT: Final = ("id", "accountNo", "officeId")
_LOAN: Final = ("id", "accountNo", "clientId", "loanProductId")


async def identity_of(connection: FineractConnection) -> str | None:
    """Sixty-four hex digits; None where there is too little to tell. Raises NotAllowed, Transient."""
    clients = await _first(connection, "clients.list", "/v1/clients", _CLIENT)
    loans = await _first(connection, "loans.list", "/v1/loans", _LOAN)
    if len(clients) < _ROWS or len(loans) < _ROWS:
        return None
    return sha256(json.dumps([clients, loans], sort_keys=True, default=str).encode()).hexdigest()


async def _first(connection: FineractConnection, operation: str, path: str, names: tuple[str, ...]) -> list[list[Any]]:
    wanted = {"offset": 0, "limit": _ROWS, "orderBy": "id", "sortOrder": "ASC"}
    body = await connection.read(operation, path, wanted)
    rows = body.get("pageItems") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise Unreadable("Fineract's answer is not a page of records.")
    # Servers that ignore the limit send everything.
    found = [row for row in rows if isinstance(row, dict) and type(row.get("id")) is int]
    return [_facts(row, names) for row in sorted(found, key=lambda row: row["id"])[:_ROWS]]


def _facts(row: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    timeline = row.get("timeline")
    submitted = timeline.get("submittedOnDate") if isinstance(timeline, dict) else None
    return [*(row.get(name) for name in names), submitted]
