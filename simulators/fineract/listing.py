"""`GET /loans`: filter, order and page as Fineract does (fineract.md 2, 4).

Faults of `fineract.loans.list` (facts tenant, offset): `shift`: after this page was read, its first options.count (1)
approved loans are withdrawn, so that the next page begins too late; `ignores_status`: all loans come, as up to 1.8;
`odd_row`: the row of loan options.loan_id has the fields of options.set instead of its own, null for none.
"""

from collections.abc import Mapping
from typing import Any

from simulators.fineract.loans import STATUS, Loan, Loans, in_nobody_s_order
from simulators.fineract.replies import server_error
from simulators.fineract.transitions import Transitions
from simulators.world import World


class Listing:
    def __init__(self, world: World, loans: Loans, transitions: Transitions) -> None:
        self._world = world
        self._loans = loans
        self._transitions = transitions
        world.faults.declare("fineract.loans.list", "shift", "ignores_status", "odd_row")

    def page(self, tenant: str, query: Mapping[str, str]) -> dict[str, Any]:
        # No offset without a limit: then everything comes.
        limit = _whole(query.get("limit")) or 0
        offset = (_whole(query.get("offset")) or 0) if limit > 0 else 0
        fault = self._world.faults.next("fineract.loans.list", tenant=tenant, offset=str(offset))
        status = _whole(query.get("status"))
        if fault and fault.action == "ignores_status":
            status = None
        found = [loan for loan in self._loans.of_tenant(tenant) if _matches(loan, status, query)]
        found = _ordered(found, query)
        page = found[offset : offset + limit] if limit > 0 else found
        rows = [self._loans.row(loan) for loan in page]
        if fault and fault.action == "odd_row":
            odd = int(fault.options["loan_id"])
            rows = [row | fault.options["set"] if row["id"] == odd else row for row in rows]
        body = {"totalFilteredRecords": len(found), "pageItems": rows}
        if fault and fault.action == "shift":
            leaving = [loan for loan in page if loan["status"] == "approved"]
            for loan in leaving[: int(fault.options.get("count", 1))]:
                self._transitions.withdraw_by_hand(loan)
        return body


def _matches(loan: Loan, status: int | None, query: Mapping[str, str]) -> bool:
    return (
        (status is None or STATUS[loan["status"]][0] == status)
        and query.get("accountNo", loan["accountNo"]) == loan["accountNo"]
        and query.get("clientId", str(loan["clientId"])) == str(loan["clientId"])
        and query.get("externalId", loan.get("externalId")) == loan.get("externalId")
    )


def _ordered(loans: list[Loan], query: Mapping[str, str]) -> list[Loan]:
    if query.get("orderBy") not in ("id", "accountNo"):
        return sorted(loans, key=in_nobody_s_order)
    return sorted(loans, key=lambda loan: int(loan["id"]), reverse=query.get("sortOrder", "ASC").upper() == "DESC")


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise server_error() from None  # NumberFormatException: "approved" is no status
