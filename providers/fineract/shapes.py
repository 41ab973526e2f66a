"""Fineract's JSON as our values. Every function raises `Unreadable` for a body that lacks what must be there.

Facts: fineract.md 3 (products), 4 (rows), 5 (details, clients). Nulls are omitted by the server, so absent means null.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Final, TypeVar

from core.errors import InvalidRequest, Transient
from core.money import Money, exponent_of
from providers.fineract.wire import read_amount, read_date
from providers.ports import BankClient, Loan, LoanDisbursal, LoanProduct

APPROVED_STATUS: Final = 200
_DISBURSEMENT: Final = 1

T = TypeVar("T")


class Unreadable(Transient):
    """A read brought JSON that is not the protocol's. Nothing was changed by it; it may be read again."""

    default_code = "garbled_read"


def loan_of(row: Any) -> Loan:
    """From a list row or from details; `disbursals` and `next_repayment_on` are filled if their associations came.

    Raises InvalidRequest for a currency that Kivuko does not know.
    """
    return shaped("a loan", row, _loan)


def product_of(row: Any) -> LoanProduct:
    """Raises InvalidRequest for a currency that Kivuko does not know."""
    return shaped("a loan product", row, _product)


def client_of(body: Any) -> BankClient:
    return shaped("a client", body, _client)


def shaped(what: str, body: Any, shape: Callable[[Any], T]) -> T:
    """Runs `shape` on the body; whatever it stumbles over is Unreadable. `what`: "a loan"."""
    try:
        return shape(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unreadable(f"Fineract's answer is not {what} as the protocol has it.") from None


def _loan(row: dict[str, Any]) -> Loan:
    currency, status, timeline = row["currency"]["code"], row["status"], row.get("timeline") or {}
    approved = read_amount(row.get("approvedPrincipal", row.get("principal")), currency)
    if approved is None:
        raise ValueError("a loan without a principal")
    return Loan(
        loan_id=whole_id(row["id"]),
        account_no=str(row.get("accountNo", "")),
        product_id=whole_id(row["loanProductId"]),
        product_name=str(row.get("loanProductName", "")),
        client_id=None if row.get("clientId") is None else whole_id(row["clientId"]),
        client_name=str(row.get("clientName", "")),
        status=str(status["code"]),
        awaiting_disbursal=status["id"] == APPROVED_STATUS and status.get("waitingForDisbursal") is True,
        active=status.get("active") is True,
        approved_principal=approved,
        net_disbursal=read_amount(row.get("netDisbursalAmount"), currency),
        approved_on=read_date(timeline.get("approvedOnDate")),
        expected_disbursement_on=read_date(timeline.get("expectedDisbursementDate")),
        multi_disburse=row.get("multiDisburseLoan") is True,
        kind=str((row.get("loanType") or {}).get("code", "")),
        top_up=row.get("isTopup") is True or row.get("closureLoanId") is not None,
        auto_down_payment=row.get("enableAutoRepaymentForDownPayment") is True,
        charged_off=row.get("chargedOff") is True,
        disbursals=tuple(_disbursals(row.get("transactions") or [], currency)),
        next_repayment_on=_next_repayment((row.get("repaymentSchedule") or {}).get("periods") or []),
    )


def _disbursals(transactions: list[Any], currency: str) -> list[LoanDisbursal]:
    """The disbursements among transactions. One whose amount cannot be read still says whose it is; anything without an id
    is no transaction."""
    found = []
    for item in transactions:
        kind = item.get("type") if isinstance(item, dict) else None
        if not isinstance(kind, dict) or type(item.get("id")) is not int:
            continue
        if kind.get("id") != _DISBURSEMENT and kind.get("disbursement") is not True:
            continue
        details = item.get("paymentDetailData")
        found.append(
            LoanDisbursal(
                transaction_id=item["id"],
                amount=_amount_or_zero(item.get("amount"), currency),
                external_id=item.get("externalId"),
                receipt=details.get("receiptNumber") if isinstance(details, dict) else None,
                reversed=item.get("manuallyReversed") is True or item.get("reversedOnDate") is not None,
            )
        )
    return found


def _amount_or_zero(value: Any, currency: str) -> Money:
    try:
        return read_amount(value, currency) or Money.zero(currency)
    except (InvalidRequest, ValueError):
        return Money.zero(currency)


def _next_repayment(periods: list[Any]) -> date | None:
    """The first instalment that is not paid. The disbursement itself is a row too, without a `period` number. What cannot be
    read is left out: the day is for the client's message alone."""
    due: list[date] = []
    for row in periods:
        if isinstance(row, dict) and row.get("period") and row.get("complete") is not True:
            try:
                day = read_date(row.get("dueDate"))
            except ValueError:
                continue
            due += [] if day is None else [day]
    return min(due, default=None)


def _product(row: dict[str, Any]) -> LoanProduct:
    currency = row["currency"]["code"]
    exponent_of(currency)
    return LoanProduct(
        product_id=whole_id(row["id"]),
        name=str(row["name"]),
        currency=currency,
        active=row.get("status", "loanProduct.active") == "loanProduct.active",
        min_principal=read_amount(row.get("minPrincipal"), currency),
        max_principal=read_amount(row.get("maxPrincipal"), currency),
        multi_disburse=row.get("multiDisburseLoan") is True,
    )


def _client(body: dict[str, Any]) -> BankClient:
    status = str((body.get("status") or {}).get("code", ""))
    phone = body.get("mobileNo")  # free text as a person typed it; absent if there is none (fineract.md 5)
    return BankClient(
        client_id=whole_id(body["id"]),
        name=str(body.get("displayName", "")),
        phone=str(phone).strip() or None if phone is not None else None,
        active=body.get("active") is True and status in ("", "clientStatusType.active"),
        status=status,
        office_id=None if body.get("officeId") is None else whole_id(body["officeId"]),
    )


def whole_id(value: Any) -> int:
    """An id from JSON. Raises ValueError for anything but a whole number."""
    if type(value) is not int:
        raise ValueError("an id is a whole number")
    return value
