"""Customers' accounts and the payments on them: Fineract's JSON as our values.

Facts: fineract.md 5 (summary, transactions of a loan), 7.2 (savings), 8 (search). `Unreadable` for a body that lacks what
must be there, InvalidRequest for a currency that Kivuko does not know.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from core.errors import InvalidRequest
from core.money import Money, exponent_of
from providers.fineract.rows import readable
from providers.fineract.shapes import shaped, whole_id
from providers.fineract.wire import read_amount, read_date
from providers.repayments import AccountKind, CustomerAccount, RecordedPayment

_LOAN_REPAYMENT: Final = 2
_DEPOSIT: Final = 1
_ORDINARY_SAVINGS: Final = 100  # a fixed or recurring deposit is paid into by other ways
_KINDS: Final[dict[str, AccountKind]] = {"LOAN": "loan", "SAVING": "savings"}


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row of the search. It is a hint: LIKE finds more than what was asked for."""

    kind: AccountKind
    account_id: int
    names: frozenset[str]  # its number and its external id


def hits_of(rows: Any) -> list[SearchHit]:
    """The loans and savings accounts among the rows; one that cannot be read is none."""
    accounts = shaped("a list of search results", rows, lambda rows: [row for row in rows if _is_account(row)])
    return readable(accounts, lambda row: shaped("a search result", row, _hit)).found


def account_of(kind: AccountKind, body: Any) -> CustomerAccount:
    """From details. An amount that the currency has no places for is left out: it informs and decides nothing."""
    return shaped("a loan", body, _loan) if kind == "loan" else shaped("a savings account", body, _savings)


def payment_of(account: CustomerAccount, item: Any) -> RecordedPayment | None:
    """A loan's repayment or a savings account's deposit; None for every other transaction."""
    return shaped("a transaction", item, lambda item: _payment(account, item))


def payments_of(account: CustomerAccount, items: Any) -> list[RecordedPayment]:
    """The repayments or deposits among transactions. One that cannot be read is not ours: we post none of that kind."""
    listed = shaped("a list of transactions", items, list)
    return [
        payment for payment in readable(listed, lambda item: payment_of(account, item)).found if payment is not None
    ]


def _is_account(row: Any) -> bool:
    return isinstance(row, dict) and row.get("entityType") in _KINDS


def _hit(row: dict[str, Any]) -> SearchHit:
    names = frozenset(str(row[name]) for name in ("entityAccountNo", "entityExternalId") if row.get(name) is not None)
    return SearchHit(_KINDS[row["entityType"]], whole_id(row["entityId"]), names)


def _loan(body: dict[str, Any]) -> CustomerAccount:
    currency, status = _currency(body), body["status"]
    summary = body.get("summary") or {}  # absent before the loan is disbursed
    return CustomerAccount(
        kind="loan",
        account_id=whole_id(body["id"]),
        account_no=str(body["accountNo"]),
        external_id=body.get("externalId"),
        client_id=None if body.get("clientId") is None else whole_id(body["clientId"]),
        client_name=str(body.get("clientName", "")),
        status=str(status["code"]),
        takes_payments=status.get("active") is True,
        currency=currency,
        opened_on=_day(body, "actualDisbursementDate"),
        outstanding=_amount(summary.get("totalOutstanding"), currency),
    )


def _savings(body: dict[str, Any]) -> CustomerAccount:
    currency, status = _currency(body), body["status"]
    blocks = body.get("subStatus") or {}
    blocked = blocks.get("block") is True or blocks.get("blockCredit") is True
    ordinary = (body.get("depositType") or {}).get("id", _ORDINARY_SAVINGS) == _ORDINARY_SAVINGS
    return CustomerAccount(
        kind="savings",
        account_id=whole_id(body["id"]),
        account_no=str(body["accountNo"]),
        external_id=body.get("externalId"),
        client_id=None if body.get("clientId") is None else whole_id(body["clientId"]),
        client_name=str(body.get("clientName", "")),
        status=str(status["code"]),
        takes_payments=status.get("active") is True and not blocked and ordinary,
        currency=currency,
        opened_on=_day(body, "activatedOnDate"),
        balance=_amount((body.get("summary") or {}).get("accountBalance"), currency),
    )


def _payment(account: CustomerAccount, item: dict[str, Any]) -> RecordedPayment | None:
    kind = item["type"] if account.kind == "loan" else item["transactionType"]
    if kind.get("id") != (_LOAN_REPAYMENT if account.kind == "loan" else _DEPOSIT):
        return None
    amount, paid_on = read_amount(item["amount"], account.currency), read_date(item["date"])
    if amount is None or paid_on is None:
        raise ValueError("a payment has an amount and a date")
    marks = ("reversed", "manuallyReversed")
    return RecordedPayment(
        transaction_id=whole_id(item["id"]),
        account=account,
        amount=amount,
        paid_on=paid_on,
        external_id=item.get("externalId"),
        receipt=(item.get("paymentDetailData") or {}).get("receiptNumber") or None,
        reversed=any(item.get(mark) is True for mark in marks) or item.get("reversedOnDate") is not None,
    )


def _currency(body: dict[str, Any]) -> str:
    currency = str(body["currency"]["code"])
    exponent_of(currency)
    return currency


def _day(body: dict[str, Any], name: str) -> date | None:
    """One of the account's own dates. One that cannot be read is left out: the server has the last word on it."""
    timeline = body.get("timeline")
    try:
        return read_date(timeline.get(name)) if isinstance(timeline, dict) else None
    except ValueError:
        return None


def _amount(value: Any, currency: str) -> Money | None:
    try:
        return read_amount(value, currency)
    except InvalidRequest:
        return None
