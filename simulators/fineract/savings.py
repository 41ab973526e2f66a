"""Savings accounts: what is kept of them, and how Fineract shows it (fineract.md 7.2, 8).

The kept document is what `GET /books/savings` shows: `id, tenant, accountNo, externalId, clientId, status` (a word of
`STATUS`), `balance` as text in shillings, and `transactions` with `id, type, amount, date, receiptNumber, accountNumber,
externalId, reversed, by`.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from simulators.books import SAVINGS
from simulators.fineract.catalogue import CURRENCY, Catalogue
from simulators.fineract.loans import must_be_new, text
from simulators.fineract.payment_details import shown_payment
from simulators.fineract.replies import invalid, not_found
from simulators.world import World

# status word → id, code, value (fineract.md 7.2)
STATUS: Final = {
    "submitted": (100, "submitted.and.pending.approval", "Submitted and pending approval"),
    "approved": (200, "approved", "Approved"),
    "active": (300, "active", "Active"),
    "closed": (600, "closed", "Closed"),
}
_DEPOSIT: Final = 1

SavingsAccount = dict[str, Any]


class SavingsSeed(BaseModel):
    """A savings account made outside the protocol. `creditsBlocked`: active, and takes no deposits."""

    clientId: int
    accountNo: str | None = Field(default=None, min_length=1, max_length=20)
    externalId: str | None = Field(default=None, min_length=1, max_length=100)
    status: Literal["submitted", "approved", "active", "closed"] = "active"
    balance: Decimal = Field(default=Decimal(0), ge=0, decimal_places=2)
    activatedOn: date | None = None
    creditsBlocked: bool = False
    tenant: str = "default"


class Savings:
    def __init__(self, world: World, catalogue: Catalogue) -> None:
        self._documents = world.documents
        self._catalogue = catalogue

    def seed(self, seed: SavingsSeed, today: date) -> SavingsAccount:
        client = self._catalogue.client(seed.tenant, seed.clientId)
        number = self._documents.next_number("fineract.savings")
        account_no = seed.accountNo or f"{number:09d}"
        must_be_new(self.of_tenant(seed.tenant), account_no, seed.externalId)
        account: SavingsAccount = {
            "id": number,
            "tenant": seed.tenant,
            "accountNo": account_no,
            "externalId": seed.externalId,
            "clientId": seed.clientId,
            "clientName": client["displayName"],
            "currency": "KES",
            "status": seed.status,
            "creditsBlocked": seed.creditsBlocked,
            "activatedOn": (seed.activatedOn or today).isoformat() if seed.status in ("active", "closed") else None,
            "balance": text(seed.balance),
            "transactions": [],
        }
        return self.keep(account)

    def keep(self, account: SavingsAccount) -> SavingsAccount:
        return self._documents.put(SAVINGS, f"{account['tenant']}:{account['id']}", account)

    def get(self, tenant: str, number: int) -> SavingsAccount:
        account = self._documents.get(SAVINGS, f"{tenant}:{number}")
        if account is None:
            raise not_found("error.msg.saving.account.id.invalid")
        return account

    def of_tenant(self, tenant: str) -> list[SavingsAccount]:
        return [account for account in self._documents.all(SAVINGS) if account["tenant"] == tenant]

    def add(self, account: SavingsAccount, amount: Decimal, day: date, details: dict[str, Any], by: str) -> int:
        """Books a deposit; the id of its transaction. `details` are a payment's, `externalId` and `note`."""
        number = self._documents.next_number("fineract.savings_transactions", start=701)
        account["balance"] = text(Decimal(account["balance"]) + amount)
        account["transactions"].append(
            {
                "id": number,
                "type": "deposit",
                "amount": text(amount),
                "runningBalance": account["balance"],
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
        )
        self.keep(account)
        return number

    def external_id_taken(self, tenant: str, external_id: str) -> bool:
        items = (item for account in self.of_tenant(tenant) for item in account["transactions"])
        return any(item["externalId"] == external_id for item in items)

    # ---------------------------------------------------------------------------------------------- as Fineract shows

    def page(self, tenant: str, query: Mapping[str, str]) -> dict[str, Any]:
        """`GET /savingsaccounts`: has no filter by account number (fineract.md 8)."""
        wanted = query.get("externalId")
        rows = [self.details(account, ()) for account in self.of_tenant(tenant)
                if wanted is None or account["externalId"] == wanted]  # fmt: skip
        return {"totalFilteredRecords": len(rows), "pageItems": rows}

    def details(self, account: SavingsAccount, associations: Iterable[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": account["id"],
            "accountNo": account["accountNo"],
            "externalId": account["externalId"],
            "depositType": {"id": 100, "code": "depositAccountType.savingsDeposit", "value": "Savings"},
            "clientId": account["clientId"],
            "clientName": account["clientName"],
            "savingsProductId": 1,
            "savingsProductName": "Akiba Savings",
            "status": savings_status_of(account["status"]),
            "subStatus": _sub_status(account["creditsBlocked"]),
            "currency": CURRENCY,
            "timeline": {"activatedOnDate": _day(account["activatedOn"])},
            "summary": {
                "currency": CURRENCY,
                "accountBalance": Decimal(account["balance"]),
                "availableBalance": Decimal(account["balance"]),
            },
        }
        if {token.strip() for token in associations} & {"transactions", "all"}:
            body["transactions"] = [self.shown(account, item) for item in reversed(account["transactions"])]
        return body

    def transaction(self, account: SavingsAccount, number: int) -> dict[str, Any]:
        """The kept transaction. Raises 404 for another account's."""
        items: list[dict[str, Any]] = account["transactions"]
        found = next((item for item in items if item["id"] == number), None)
        if found is None:
            raise not_found("error.msg.savingsaccount.transaction.id.invalid")
        return found

    def shown(self, account: SavingsAccount, item: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": item["id"],
            "transactionType": {"id": _DEPOSIT, "code": "savingsAccountTransactionType.deposit", "value": "Deposit",
                                "deposit": True, "withdrawal": False},
            "entryType": "CREDIT",
            "accountId": account["id"],
            "accountNo": account["accountNo"],
            "date": _day(item["date"]),
            "currency": CURRENCY,
            "amount": Decimal(item["amount"]),
            "runningBalance": Decimal(item["runningBalance"]),
            "externalId": item["externalId"],
            "reversed": item["reversed"],
            "submittedOnDate": _day(item["date"]),
            "paymentDetailData": shown_payment(item),
        }  # fmt: skip

    def found(self, account: SavingsAccount, query: Mapping[str, str]) -> dict[str, Any]:
        """`…/transactions/search`, the latest first. It has no filter by receipt (fineract.md 7.2)."""
        first, last = _date_in(query, "fromDate"), _date_in(query, "toDate")
        least, most = _amount_in(query, "fromAmount"), _amount_in(query, "toAmount")
        types = query["types"].split(",") if query.get("types") else None
        found = [
            item
            for item in reversed(account["transactions"])
            if (first is None or date.fromisoformat(item["date"]) >= first)
            and (last is None or date.fromisoformat(item["date"]) <= last)
            and (least is None or Decimal(item["amount"]) >= least)
            and (most is None or Decimal(item["amount"]) <= most)
            and (types is None or str(_DEPOSIT) in types)
            and query.get("credit", "true") == "true"
        ]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 0)) or len(found)
        return {
            "total": len(found),
            "content": [self.shown(account, item) for item in found[offset : offset + limit]],
        }


def savings_status_of(word: str) -> dict[str, Any]:
    number, code, value = STATUS[word]
    return {
        "id": number,
        "code": f"savingsAccountStatusType.{code}",
        "value": value,
        "submittedAndPendingApproval": number == 100,
        "approved": number == 200,
        "rejected": False,
        "withdrawnByApplicant": False,
        "active": number == 300,
        "closed": number == 600,
        "prematureClosed": False,
        "transferInProgress": False,
        "transferOnHold": False,
        "matured": False,
    }


def _sub_status(credits_blocked: bool) -> dict[str, Any]:
    number, name = (500, "blockCredit") if credits_blocked else (0, "none")
    flags = ("none", "inactive", "dormant", "escheat", "block", "blockCredit", "blockDebit")
    code = f"SavingsAccountSubStatusEnum.{name}"
    return {"id": number, "code": code, "value": name} | {flag: flag == name for flag in flags}


def _date_in(query: Mapping[str, str], name: str) -> date | None:
    if name not in query:
        return None
    try:
        return date.fromisoformat(query[name])
    except ValueError:
        raise invalid(("validation.msg.invalid.dateFormat.format", name)) from None


def _amount_in(query: Mapping[str, str], name: str) -> Decimal | None:
    if name not in query:
        return None
    try:
        return Decimal(query[name])
    except InvalidOperation:
        raise invalid(("validation.msg.invalid.decimal.format", name)) from None


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
