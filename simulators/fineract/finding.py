"""`GET /search`: LIKE even where it is asked for an exact match (fineract.md 8).

Faults of `fineract.search` (fact tenant): `down`, `slow` (options.seconds, 3), `html`, and `ignores_exact`: answers as if
exactMatch were not there.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from simulators.fineract.catalogue import CLIENTS
from simulators.fineract.loans import Loans, status_of
from simulators.fineract.savings import Savings, savings_status_of
from simulators.world import World

_MOST_ROWS: Final = 50


class Finding:
    def __init__(self, world: World, loans: Loans, savings: Savings) -> None:
        self._documents = world.documents
        self._loans = loans
        self._savings = savings

    def rows(self, tenant: str, query: Mapping[str, str], *, ignores_exact: bool = False) -> list[dict[str, Any]]:
        exact = query.get("exactMatch", "false").lower() == "true" and not ignores_exact
        pattern = query.get("query", "")
        like = _like(pattern if exact else f"%{pattern}%")
        resource = query.get("resource", "clients,loans,savings").lower()
        found: list[dict[str, Any]] = []
        if "clients" in resource:
            found += [
                _row("CLIENT", client, client["displayName"], None, {}) | {"entityMobileNo": client["mobileNo"]}
                for client in self._documents.all(CLIENTS)
                if client["tenant"] == tenant and _any(like, client["displayName"], client["mobileNo"])
            ]
        if "loans" in resource:
            found += [
                _row("LOAN", loan, loan["productName"], loan, status_of(loan["status"]))
                for loan in self._loans.of_tenant(tenant)
                if _any(like, loan["accountNo"], loan.get("externalId"))
            ]
        if "savings" in resource:
            found += [
                _row("SAVING", account, "Akiba Savings", account, savings_status_of(account["status"]))
                for account in self._savings.of_tenant(tenant)
                if _any(like, account["accountNo"], account["externalId"])
            ]
        return found[:_MOST_ROWS]


def _row(
    kind: str, entity: dict[str, Any], name: str, owned: dict[str, Any] | None, status: dict[str, Any]
) -> dict[str, Any]:
    return {
        "entityId": entity["id"],
        "entityAccountNo": entity.get("accountNo", f"{entity['id']:09d}"),
        "entityExternalId": entity.get("externalId"),
        "entityName": name,
        "entityType": kind,
        "parentId": owned["clientId"] if owned else 1,
        "parentName": owned["clientName"] if owned else "Head Office",
        "parentType": "client" if owned else "office",
        "entityStatus": {key: status.get(key) for key in ("id", "code", "value")},
    }


def _like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE, of a database that does not mind upper and lower case."""
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char, re.escape(char)) for char in pattern), re.IGNORECASE | re.DOTALL)


def _any(like: re.Pattern[str], *values: str | None) -> bool:
    return any(like.fullmatch(value) for value in values if value)
