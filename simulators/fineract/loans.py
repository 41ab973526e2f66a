"""Loans: what is kept of them, and how Fineract shows it.

The kept document is what `GET /books/loans` shows: `id, tenant, clientId, status` (a word of `STATUS`), amounts as text
in shillings, and `transactions` with `id, type, amount, date, receiptNumber, accountNumber, externalId, reversed, by`.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from simulators.books import LOANS
from simulators.fineract.catalogue import CURRENCY, Catalogue
from simulators.fineract.replies import not_found
from simulators.world import World

# status word → id, code, value (fineract.md 4)
STATUS: Final = {
    "submitted": (100, "submitted.and.pending.approval", "Submitted and pending approval"),
    "approved": (200, "approved", "Approved"),
    "active": (300, "active", "Active"),
    "withdrawn": (400, "withdrawn.by.client", "Withdrawn by applicant"),
    "rejected": (500, "rejected", "Rejected"),
}
_TYPES: Final = {
    "disbursement": (1, "Disbursement"),
    "repaymentAtDisbursement": (5, "Repayment (at time of disbursement)"),
}

Loan = dict[str, Any]


class LoanSeed(BaseModel):
    """A loan made outside the protocol. `hook=false` approves it without an event, as if the delivery were lost."""

    clientId: int
    productId: int
    principal: Decimal = Field(gt=0, decimal_places=2)
    netDisbursalAmount: Decimal | None = Field(default=None, ge=0, decimal_places=2)
    status: Literal["submitted", "approved"] = "approved"
    approvedOn: date | None = None
    expectedDisbursementOn: date | None = None
    multiDisburse: bool = False
    tenant: str = "default"
    hook: bool = True


class Loans:
    def __init__(self, world: World, catalogue: Catalogue) -> None:
        self._documents = world.documents
        self._catalogue = catalogue

    def seed(self, seed: LoanSeed, today: date) -> Loan:
        client = self._catalogue.client(seed.tenant, seed.clientId)
        number = self._documents.next_number("fineract.loans", start=91)
        approved = seed.status == "approved"
        net = seed.principal if seed.netDisbursalAmount is None else seed.netDisbursalAmount
        loan: Loan = {
            "id": number,
            "tenant": seed.tenant,
            "accountNo": f"{number:09d}",
            "clientId": seed.clientId,
            "clientName": client["displayName"],
            "productId": seed.productId,
            "productName": self._catalogue.product_name(seed.productId),
            "currency": "KES",
            "status": seed.status,
            "principal": text(seed.principal),
            "approvedPrincipal": text(seed.principal),
            "netDisbursalAmount": text(net),
            "submittedOn": (seed.approvedOn or today).isoformat(),
            "approvedOn": (seed.approvedOn or today).isoformat() if approved else None,
            "expectedDisbursementOn": (seed.expectedDisbursementOn or today).isoformat(),
            "disbursedOn": None,
            "multiDisburse": seed.multiDisburse,
            "transactions": [],
        }
        return self.keep(loan)

    def keep(self, loan: Loan) -> Loan:
        return self._documents.put(LOANS, f"{loan['tenant']}:{loan['id']}", loan)

    def get(self, tenant: str, number: int) -> Loan:
        loan = self._documents.get(LOANS, f"{tenant}:{number}")
        if loan is None:
            raise not_found("error.msg.loan.id.invalid")
        return loan

    def of_tenant(self, tenant: str) -> list[Loan]:
        return [loan for loan in self._documents.all(LOANS) if loan["tenant"] == tenant]

    def next_transaction(self) -> int:
        return self._documents.next_number("fineract.transactions", start=1503)

    def external_id_taken(self, tenant: str, external_id: str) -> bool:
        """Unique over all transactions of the tenant, reversed ones too: a reversal keeps its external id."""
        return any(
            item["externalId"] == external_id for loan in self.of_tenant(tenant) for item in loan["transactions"]
        )

    # ---------------------------------------------------------------------------------------------- as Fineract shows

    def row(self, loan: Loan) -> dict[str, Any]:
        """A list row. It has no phone, and no sub-list."""
        return {
            "id": loan["id"],
            "accountNo": loan["accountNo"],
            "status": status_of(loan["status"]),
            "clientId": loan["clientId"],
            "clientAccountNo": f"{loan['clientId']:09d}",
            "clientName": loan["clientName"],
            "clientOfficeId": 1,
            "loanProductId": loan["productId"],
            "loanProductName": loan["productName"],
            "loanType": {"id": 1, "code": "accountType.individual", "value": "Individual"},
            "currency": CURRENCY,
            "principal": Decimal(loan["principal"]),
            "approvedPrincipal": Decimal(loan["approvedPrincipal"]),
            "proposedPrincipal": Decimal(loan["principal"]),
            "netDisbursalAmount": Decimal(loan["netDisbursalAmount"]),
            "numberOfRepayments": self._catalogue.instalments(loan["productId"]),
            "timeline": {
                "submittedOnDate": _day(loan["submittedOn"]),
                "approvedOnDate": _day(loan["approvedOn"]),
                "approvedByUsername": "mifos" if loan["approvedOn"] else None,
                "expectedDisbursementDate": _day(loan["expectedDisbursementOn"]),
                "actualDisbursementDate": _day(loan["disbursedOn"]),
            },
            "multiDisburseLoan": loan["multiDisburse"] or None,
        }

    def details(self, loan: Loan, associations: Iterable[str]) -> dict[str, Any]:
        wanted = {token.strip() for token in associations}
        body = self.row(loan)
        if wanted & {"transactions", "all"}:
            # Transactions reversed by undoing the disbursal are not listed at all; only hand-adjusted ones are.
            body["transactions"] = [self._transaction(item) for item in loan["transactions"] if not item["reversed"]]
        if wanted & {"repaymentSchedule", "all"}:
            body["repaymentSchedule"] = {"currency": CURRENCY, "periods": self._periods(loan)}
        return body

    def _transaction(self, item: dict[str, Any]) -> dict[str, Any]:
        number, value = _TYPES[item["type"]]
        payment = {
            "id": item["id"],
            "paymentType": {"id": item["paymentTypeId"], "name": item["paymentType"]},
            "accountNumber": item["accountNumber"] or "",
            "receiptNumber": item["receiptNumber"] or "",
            "checkNumber": "", "routingCode": "", "bankNumber": "",
        }  # fmt: skip
        return {
            "id": item["id"],
            "officeId": 1,
            "officeName": "Head Office",
            "type": {
                "id": number,
                "code": f"loanTransactionType.{item['type']}",
                "value": value,
                "disbursement": number == 1,
                "repaymentAtDisbursement": number == 5,
                "repayment": False,
            },
            "date": _day(item["date"]),
            "currency": CURRENCY,
            "amount": Decimal(item["amount"]),
            "externalId": item["externalId"],
            "manuallyReversed": False,
            "submittedOnDate": _day(item["date"]),
            "paymentDetailData": payment if item["paymentTypeId"] else None,
        }

    def _periods(self, loan: Loan) -> list[dict[str, Any]]:
        start = date.fromisoformat(loan["disbursedOn"] or loan["expectedDisbursementOn"])
        principal, count = Decimal(loan["approvedPrincipal"]), self._catalogue.instalments(loan["productId"])
        share = (principal / count).quantize(Decimal("0.01"))
        periods: list[dict[str, Any]] = [
            {"dueDate": start, "principalDisbursed": principal, "totalDueForPeriod": Decimal(0)}
        ]
        for number in range(1, count + 1):
            due = share if number < count else principal - share * (count - 1)
            periods.append(
                {
                    "period": number,
                    "fromDate": months_later(start, number - 1),
                    "dueDate": months_later(start, number),
                    "complete": False,
                    "principalDue": due,
                    "totalDueForPeriod": due,
                    "totalOutstandingForPeriod": due,
                }
            )
        return periods


def status_of(word: str) -> dict[str, Any]:
    number, code, value = STATUS[word]
    return {
        "id": number,
        "code": f"loanStatusType.{code}",
        "value": value,
        "pendingApproval": number == 100,
        "waitingForDisbursal": number == 200,
        "active": number == 300,
        "closedObligationsMet": False,
        "closedWrittenOff": False,
        "closedRescheduled": False,
        "closed": number in (400, 500),
        "overpaid": False,
    }


def in_nobody_s_order(loan: Loan) -> str:
    """What a database gives without ORDER BY: some order, and not by id."""
    return sha256(str(loan["id"]).encode()).hexdigest()


def months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def text(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
