"""What a deposit does to a savings account, how one is undone, and how both are refused (fineract.md 7.2)."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from simulators.fineract.catalogue import Catalogue
from simulators.fineract.fields import Fields
from simulators.fineract.loans import text
from simulators.fineract.payment_details import PAYMENT_FIELDS, SPELLING, payment_of
from simulators.fineract.replies import data_integrity, invalid, rule
from simulators.fineract.savings import Savings, SavingsAccount
from simulators.fineract.tenants import Caller

_DEPOSIT_FIELDS: Final = SPELLING | PAYMENT_FIELDS | {"transactionDate", "transactionAmount"}
_RESOURCE: Final = "savingsaccount.transaction"


class Deposits:
    def __init__(self, savings: Savings, catalogue: Catalogue) -> None:
        self._savings = savings
        self._catalogue = catalogue

    def deposit(self, caller: Caller, number: int, body: dict[str, Any]) -> dict[str, Any]:
        """The command's answer: `resourceId` is the transaction. Raises Problem.

        An external id is unsupported unless the tenant's server is newer than every release (fineract.md 7.2).
        """
        account = self._savings.get(caller.tenant, number)
        takes_ids = bool(caller.settings.get("savingsExternalIds"))
        fields = Fields(body, _RESOURCE, _DEPOSIT_FIELDS | ({"externalId"} if takes_ids else set()))
        paid_on, amount = fields.date("transactionDate"), fields.amount("transactionAmount", required=True)
        external_id = fields.text("externalId", 100)
        fields.text("note", 1000)
        assert paid_on is not None
        assert amount is not None
        if fields.get("paymentTypeId") is None:
            raise invalid((f"validation.msg.{_RESOURCE}.paymentTypeId.cannot.be.blank", "paymentTypeId"))
        payment = payment_of(fields, self._catalogue, caller.tenant)
        _must_take_deposits(caller, account, paid_on)
        if external_id and self._savings.external_id_taken(caller.tenant, external_id):
            raise data_integrity()
        details = payment | {"externalId": external_id, "note": body.get("note")}
        answer = _answer(account, self._savings.add(account, amount, paid_on, details, caller.username))
        return answer | {"changes": {name: body[name] for name in sorted(PAYMENT_FIELDS & set(body))}}

    def undo(self, caller: Caller, number: int, transaction: int, body: dict[str, Any]) -> dict[str, Any]:
        account = self._savings.get(caller.tenant, number)
        Fields(body, _RESOURCE, _DEPOSIT_FIELDS)
        item = self._savings.transaction(account, transaction)
        if item["reversed"]:
            raise rule("error.msg.savingsaccount.transaction.transaction.already.reversed")
        item["reversed"] = True
        account["balance"] = text(Decimal(account["balance"]) - Decimal(item["amount"]))
        self._savings.keep(account)
        return _answer(account, transaction)

    def close_by_hand(self, account: SavingsAccount) -> None:
        account["status"] = "closed"
        self._savings.keep(account)


def _must_take_deposits(caller: Caller, account: SavingsAccount, paid_on: date) -> None:
    if account["status"] != "active":
        raise invalid((f"error.msg.{_RESOURCE}.account.is.not.active", "transactionDate"))
    if account["creditsBlocked"]:
        raise rule("error.msg.savings.account.credit.transaction.not.allowed")
    if paid_on > caller.business_date:
        raise invalid((f"error.msg.{_RESOURCE}.in.the.future", "transactionDate"))
    if paid_on < date.fromisoformat(account["activatedOn"]):
        raise invalid((f"error.msg.{_RESOURCE}.before.activation.date", "transactionDate"))


def _answer(account: SavingsAccount, transaction: int) -> dict[str, Any]:
    return {"officeId": 1, "clientId": account["clientId"], "savingsId": account["id"], "resourceId": transaction}
