"""Loans: what is kept of them, and how Fineract shows it.

The kept document is what `GET /books/loans` shows: `id, tenant, clientId, status` (a word of `STATUS`), amounts as text
in shillings, and `transactions` with `id, type, amount, date, receiptNumber, accountNumber, externalId, reversed, by`
(`type` is "disbursement", "repaymentAtDisbursement" or "repayment").
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
from simulators.fineract.payment_details import shown_payment
from simulators.fineract.replies import data_integrity, not_found
from simulators.world import World

# status word → id, code, value (fineract.md 4)
STATUS: Final = {
    "submitted": (100, "submitted.and.pending.approval", "Submitted and pending approval"),
    "approved": (200, "approved", "Approved"),
    "active": (300, "active", "Active"),
    "withdrawn": (400, "withdrawn.by.client", "Withdrawn by applicant"),
    "rejected": (500, "rejected", "Rejected"),
    "closed": (600, "closed.obligations.met", "Closed (obligations met)"),
    "written_off": (601, "closed.written.off", "Closed (written off)"),
    "overpaid": (700, "overpaid", "Overpaid"),
}
_TYPES: Final = {
    "disbursement": (1, "Disbursement"),
    "repayment": (2, "Repayment"),
    "repaymentAtDisbursement": (5, "Repayment (at time of disbursement)"),
}

_KINDS: Final = {"individual": 1, "group": 2, "jlg": 3, "glim": 4}

Loan = dict[str, Any]


class LoanSeed(BaseModel):
    """A loan made outside the protocol. `hook=false` approves it without an event, as if the delivery were lost.

    An active one was disbursed in cash on the day of its approval; `outstanding` is what it still owes, by default the
    principal. `showsNet=false` is a server that says no net; a top-up loan closes an older one when it is disbursed. More
    than the principal is interest, less means that something was repaid before the books begin.
    """

    clientId: int
    productId: int
    principal: Decimal = Field(gt=0, decimal_places=2)
    netDisbursalAmount: Decimal | None = Field(default=None, ge=0, decimal_places=2)
    showsNet: bool = True
    topUp: bool = False
    kind: Literal["individual", "group", "jlg", "glim"] = "individual"
    status: Literal["submitted", "approved", "active"] = "approved"
    outstanding: Decimal | None = Field(default=None, gt=0, decimal_places=2)
    accountNo: str | None = Field(default=None, min_length=1, max_length=20)
    externalId: str | None = Field(default=None, min_length=1, max_length=100)
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
        account_no = seed.accountNo or f"{number:09d}"
        must_be_new(self.of_tenant(seed.tenant), account_no, seed.externalId)
        approved = seed.status != "submitted"
        net = seed.principal if seed.netDisbursalAmount is None else seed.netDisbursalAmount
        loan: Loan = {
            "id": number,
            "tenant": seed.tenant,
            "accountNo": account_no,
            "externalId": seed.externalId,
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
            "showsNet": seed.showsNet,
            "topUp": seed.topUp,
            "kind": seed.kind,
            "interest": "0.00",
            "repaidBefore": "0.00",
            "transactions": [],
        }
        if seed.status == "active":
            owed = seed.principal if seed.outstanding is None else seed.outstanding
            day = seed.approvedOn or today
            loan |= {
                "disbursedOn": day.isoformat(),
                "interest": text(max(owed - seed.principal, Decimal(0))),
                "repaidBefore": text(max(seed.principal - owed, Decimal(0))),
                "transactions": [self.new_transaction("disbursement", seed.principal, day, {}, by="mifos")],
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

    def new_transaction(
        self, kind: str, amount: Decimal, day: date, details: dict[str, Any], *, by: str
    ) -> dict[str, Any]:
        """A transaction to be added to a loan. `details` are a payment's (payment_details.py), `externalId`, `note`."""
        return {
            "id": self.next_transaction(),
            "type": kind,
            "amount": text(amount),
            "date": day.isoformat(),
            "receiptNumber": details.get("receiptNumber"),
            "accountNumber": details.get("accountNumber"),
            "paymentTypeId": details.get("paymentTypeId"),
            "paymentType": details.get("paymentType"),
            "externalId": details.get("externalId"),
            "note": details.get("note"),
            "reversed": False,
            "by": by,
        }

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
            "externalId": loan.get("externalId"),
            "status": status_of(loan["status"]),
            "clientId": loan["clientId"],
            "clientAccountNo": f"{loan['clientId']:09d}",
            "clientName": loan["clientName"],
            "clientOfficeId": 1,
            "loanProductId": loan["productId"],
            "loanProductName": loan["productName"],
            "loanType": {
                "id": _KINDS[loan["kind"]],
                "code": f"accountType.{loan['kind']}",
                "value": loan["kind"].title(),
            },
            "currency": CURRENCY,
            "principal": Decimal(loan["principal"]),
            "approvedPrincipal": Decimal(loan["approvedPrincipal"]),
            "proposedPrincipal": Decimal(loan["principal"]),
            "netDisbursalAmount": Decimal(loan["netDisbursalAmount"]) if loan["showsNet"] else None,
            "isTopup": loan["topUp"] or None,
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
        body = self.row(loan) | {"summary": summary_of(loan)}
        if loan["status"] == "overpaid":
            body["totalOverpaid"] = overpaid(loan)
        if wanted & {"transactions", "all"}:
            # Transactions reversed by undoing the disbursal are not listed at all; only hand-adjusted ones are.
            shown = [item for item in loan["transactions"] if not item["reversed"] or item.get("manuallyReversed")]
            body["transactions"] = [self.transaction(item) for item in shown]
        if wanted & {"repaymentSchedule", "all"}:
            body["repaymentSchedule"] = {"currency": CURRENCY, "periods": self._periods(loan)}
        return body

    def transaction(self, item: dict[str, Any]) -> dict[str, Any]:
        number, value = _TYPES[item["type"]]
        portions = {name: Decimal(amount) for name, amount in item.get("portions", {}).items()}
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
                "repayment": number == 2,
            },
            "date": _day(item["date"]),
            "currency": CURRENCY,
            "amount": Decimal(item["amount"]),
            "externalId": item["externalId"],
            "manuallyReversed": item.get("manuallyReversed", False),
            "reversedOnDate": _day(item.get("reversedOn")),
            "submittedOnDate": _day(item["date"]),
            "paymentDetailData": shown_payment(item),
        } | portions

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


def must_be_new(accounts: list[dict[str, Any]], account_no: str, external_id: str | None) -> None:
    """Numbers and external ids are unique each among the accounts of a kind; raises 403 for a taken one."""
    if any(account_no == other["accountNo"] for other in accounts):
        raise data_integrity()
    if external_id and any(external_id == other.get("externalId") for other in accounts):
        raise data_integrity()


def status_of(word: str) -> dict[str, Any]:
    number, code, value = STATUS[word]
    return {
        "id": number,
        "code": f"loanStatusType.{code}",
        "value": value,
        "pendingApproval": number == 100,
        "waitingForDisbursal": number == 200,
        "active": number == 300,
        "closedObligationsMet": number == 600,
        "closedWrittenOff": number == 601,
        "closedRescheduled": False,
        "closed": number in (600, 601),
        "overpaid": number == 700,
    }


def repaid(loan: Loan) -> Decimal:
    """What was repaid in all, reversed repayments not counted."""
    standing = (item for item in loan["transactions"] if item["type"] == "repayment" and not item["reversed"])
    return sum((Decimal(item["amount"]) for item in standing), Decimal(loan.get("repaidBefore", "0")))


def outstanding(loan: Loan) -> Decimal:
    """What the loan still owes; nothing before it is disbursed."""
    return max(_expected(loan) - repaid(loan), Decimal(0))


def overpaid(loan: Loan) -> Decimal:
    return max(repaid(loan) - _expected(loan), Decimal(0))


def summary_of(loan: Loan) -> dict[str, Any] | None:
    """None before the loan is disbursed. Interest is paid before principal."""
    if loan["disbursedOn"] is None:
        return None
    interest, left = Decimal(loan.get("interest", "0")), outstanding(loan)
    interest_left = max(interest - repaid(loan), Decimal(0))
    return {
        "currency": CURRENCY,
        "principalDisbursed": _disbursed(loan),
        "principalPaid": _disbursed(loan) - (left - interest_left),
        "principalOutstanding": left - interest_left,
        "interestOutstanding": interest_left,
        "feeChargesOutstanding": Decimal(0),
        "penaltyChargesOutstanding": Decimal(0),
        "totalExpectedRepayment": _expected(loan),
        "totalRepayment": repaid(loan),
        "totalOutstanding": left,
        "totalOverdue": Decimal(0),
    }


def _disbursed(loan: Loan) -> Decimal:
    standing = (item for item in loan["transactions"] if item["type"] == "disbursement" and not item["reversed"])
    return sum((Decimal(item["amount"]) for item in standing), Decimal(0))


def _expected(loan: Loan) -> Decimal:
    disbursed = _disbursed(loan)
    return disbursed + Decimal(loan.get("interest", "0")) if disbursed else disbursed


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
