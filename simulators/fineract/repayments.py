"""What a repayment does to a loan, how one is undone, and how both are refused (fineract.md 7.1)."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from simulators.fineract.catalogue import Catalogue
from simulators.fineract.fields import Fields
from simulators.fineract.loans import Loan, Loans, outstanding, overpaid, summary_of, text
from simulators.fineract.payment_details import PAYMENT_FIELDS, SPELLING, payment_of
from simulators.fineract.replies import data_integrity, invalid, not_found, rule
from simulators.fineract.tenants import Caller

_REPAY_FIELDS: Final = SPELLING | PAYMENT_FIELDS | {
    "transactionDate", "transactionAmount", "externalId", "loanId", "numberOfRepayments", "interestRefundCalculation",
}  # fmt: skip
_ADJUST_FIELDS: Final = _REPAY_FIELDS | {"reversalExternalId"}


class Repayments:
    def __init__(self, loans: Loans, catalogue: Catalogue) -> None:
        self._loans = loans
        self._catalogue = catalogue

    def repay(self, caller: Caller, number: int, body: dict[str, Any]) -> dict[str, Any]:
        """The command's answer: `resourceId` is the transaction here, unlike in a disbursal. Raises Problem."""
        loan = self._loans.get(caller.tenant, number)
        fields = Fields(body, "loan.transaction", _REPAY_FIELDS)
        paid_on, amount = fields.date("transactionDate"), fields.amount("transactionAmount", required=True)
        external_id = fields.text("externalId", 100)
        fields.text("note", 1000)
        payment = payment_of(fields, self._catalogue, caller.tenant)
        assert paid_on is not None
        assert amount is not None
        self._must_take_payments(caller, loan)
        if paid_on < date.fromisoformat(loan["disbursedOn"]):
            if caller.settings["olderCodes"]:
                raise rule("error.msg.loan.transaction.cannot.be.before.disbursement.date")
            raise rule("error.msg.loan.repayment.or.waiver.cannot.be.made.before.client.transfer.date")
        if paid_on > caller.business_date:
            raise rule("error.msg.loan.transaction.cannot.be.a.future.date")
        caller.must_be_open(paid_on, "repayment")
        if external_id and self._loans.external_id_taken(caller.tenant, external_id):
            if caller.settings.get("secondExternalId") == 403:
                raise data_integrity()
            raise invalid(("validation.msg.loan.transaction.externalId.value.must.be.unique", "externalId"))
        details = payment | {"externalId": external_id, "note": body.get("note")}
        item = self.book(loan, amount, paid_on, details, caller.username)
        return {
            "officeId": 1,
            "clientId": loan["clientId"],
            "loanId": number,
            "resourceId": item["id"],
            "resourceExternalId": external_id,
            "changes": dict(body),
        }

    def adjust(self, caller: Caller, number: int, transaction: int, body: dict[str, Any]) -> dict[str, Any]:
        """`undo`, and any unknown command: an amount of 0 reverses, another reverses and books that instead."""
        loan = self._loans.get(caller.tenant, number)
        fields = Fields(body, "loan.transaction", _ADJUST_FIELDS)
        day, amount = fields.date("transactionDate"), fields.amount("transactionAmount", required=True, zero=True)
        external_id = fields.text("externalId", 100)
        assert day is not None
        item = self.transaction(loan, transaction)
        if item["reversed"] or item["type"] != "repayment":
            raise rule("error.msg.loan.transaction.update.not.allowed")
        item |= {"reversed": True, "manuallyReversed": True, "reversedOn": caller.business_date.isoformat()}
        answer = {"officeId": 1, "clientId": loan["clientId"], "loanId": number, "resourceId": transaction}
        if amount:
            details = payment_of(fields, self._catalogue, caller.tenant) | {"externalId": external_id}
            answer["resourceId"] = self.book(loan, amount, day, details, caller.username)["id"]
        else:
            self._settle(loan)
        return answer | {"changes": dict(body)}

    def book(self, loan: Loan, amount: Decimal, day: date, details: dict[str, Any], by: str) -> dict[str, Any]:
        """Adds a repayment: interest first, then principal, and what is too much is kept as overpaid."""
        summary = summary_of(loan) or {}
        interest = min(amount, summary["interestOutstanding"])
        principal = min(amount - interest, summary["principalOutstanding"])
        item = self._loans.new_transaction("repayment", amount, day, details, by=by)
        item["portions"] = {
            "principalPortion": text(principal),
            "interestPortion": text(interest),
            "overpaymentPortion": text(amount - interest - principal),
            "outstandingLoanBalance": text(summary["principalOutstanding"] - principal),
        }
        loan["transactions"].append(item)
        self._settle(loan)
        return item

    def pay_off_by_hand(self, loan: Loan, day: date) -> None:
        """The customer pays the rest in cash at the counter."""
        self.book(loan, outstanding(loan), day, {"note": "Paid in cash"}, "mifos")

    def transaction(self, loan: Loan, number: int) -> dict[str, Any]:
        """The kept transaction. Raises 404 for another loan's."""
        items: list[dict[str, Any]] = loan["transactions"]
        found = next((item for item in items if item["id"] == number), None)
        if found is None:
            raise not_found("error.msg.loan.transaction.id.invalid")
        return found

    def transaction_under(self, loan: Loan, external_id: str) -> dict[str, Any]:
        items: list[dict[str, Any]] = loan["transactions"]
        found = next((item for item in items if item["externalId"] == external_id), None)
        if found is None:
            raise not_found("error.msg.loan.transaction.external.id.invalid")
        return found

    def _must_take_payments(self, caller: Caller, loan: Loan) -> None:
        if loan["status"] in ("closed", "overpaid") and caller.settings.get("blocksClosedLoans"):
            raise rule("error.msg.loan.transaction.not.allowed.on.closed.or.overpaid")
        if loan["disbursedOn"] is None and not caller.settings["olderCodes"]:
            raise invalid(("error.msg.loan.must.be.active.fully.paid.or.overpaid", "id"))
        if loan["status"] != "active":
            raise invalid(("error.msg.loan.repayment.or.waiver.account.is.not.active", "id"))

    def _settle(self, loan: Loan) -> None:
        """The loan's state by what is owed: paid off, overpaid, or active again after an undo."""
        owed, surplus = outstanding(loan), overpaid(loan)
        loan["status"] = "overpaid" if surplus else "active" if owed else "closed"
        self._loans.keep(loan)
