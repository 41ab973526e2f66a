"""What the loan commands do, and how they refuse (fineract.md 6)."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from simulators.fineract.catalogue import Catalogue
from simulators.fineract.fields import Fields
from simulators.fineract.loans import Loan, Loans, status_of, text
from simulators.fineract.payment_details import PAYMENT_FIELDS, SPELLING, payment_of
from simulators.fineract.replies import data_integrity, invalid, rule
from simulators.fineract.tenants import Caller

# command → action of the hook and of the idempotency key; the entity is always LOAN
ACTIONS: Final = {
    "approve": "APPROVE",
    "undoapproval": "APPROVALUNDO",
    "reject": "REJECT",
    "withdrawnbyapplicant": "WITHDRAW",
    "disburse": "DISBURSE",
    "undodisbursal": "DISBURSALUNDO",
}
_DISBURSE_FIELDS: Final = SPELLING | PAYMENT_FIELDS | {
    "actualDisbursementDate", "externalId", "adjustRepaymentDate", "transactionAmount", "fixedEmiAmount",
    "postDatedChecks", "netDisbursalAmount",
}  # fmt: skip
_APPROVE_FIELDS: Final = SPELLING | {
    "approvedOnDate", "approvedLoanAmount", "expectedDisbursementDate", "netDisbursalAmount", "disbursementData",
}  # fmt: skip


class Transitions:
    def __init__(self, loans: Loans, catalogue: Catalogue) -> None:
        self._loans = loans
        self._catalogue = catalogue

    def run(self, command: str, caller: Caller, number: int, body: dict[str, Any]) -> dict[str, Any]:
        """The command's answer. Raises Problem; then nothing has changed."""
        loan = self._loans.get(caller.tenant, number)
        work = {
            "approve": self._approve,
            "undoapproval": self._undo_approval,
            "reject": self._reject,
            "withdrawnbyapplicant": self._withdraw,
            "disburse": self._disburse,
            "undodisbursal": self._undo_disbursal,
        }[command]
        extra, changes = work(caller, loan, body)
        self._loans.keep(loan)
        named = extra if caller.settings["namesTransactions"] else {}
        answer = {"officeId": 1, "clientId": loan["clientId"], "loanId": number, "resourceId": number}
        return answer | named | {"changes": {"status": status_of(loan["status"])} | changes}

    def disburse_by_hand(self, caller: Caller, loan: Loan) -> None:
        """A person clicks "Disburse" in the bank's own screen: cash, without our external id."""
        today = caller.business_date
        self._book(loan, caller, today, Decimal(loan["approvedPrincipal"]), {"note": "Paid in cash"})
        self._loans.keep(loan)

    def undo_approval_by_hand(self, loan: Loan) -> None:
        loan["status"], loan["approvedOn"] = "submitted", None
        self._loans.keep(loan)

    def withdraw_by_hand(self, loan: Loan) -> None:
        loan["status"] = "withdrawn"
        self._loans.keep(loan)

    # -------------------------------------------------------------------------------------------------------- disburse

    def _disburse(self, caller: Caller, loan: Loan, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        fields = Fields(body, "loan.disbursement", _DISBURSE_FIELDS)
        paid_on = fields.date("actualDisbursementDate")
        amount, external_id = fields.amount("transactionAmount"), fields.get("externalId")
        if external_id and len(str(external_id)) > 100:  # no validation, only the column's length
            raise data_integrity("error.msg.loan.disbursement.unknown.data.integrity.issue")
        fields.text("note", 1000)
        payment = payment_of(fields, self._catalogue, caller.tenant)
        assert paid_on is not None
        approved = Decimal(loan["approvedPrincipal"])
        self._must_be_disbursable(caller, loan, amount)
        if amount is not None and amount > approved:
            of_several = loan["multiDisburse"] or caller.settings["olderCodes"]
            what = "principal" if of_several else "amount"
            raise rule(f"error.msg.loan.disburse.amount.must.be.less.than.approved.{what}")
        if paid_on < date.fromisoformat(loan["approvedOn"]):
            raise rule("error.msg.loan.disbursal.cannot.be.before.approval.date")
        if paid_on > caller.business_date:
            raise rule("error.msg.loan.disbursal.cannot.be.a.future.date")
        caller.must_be_open(paid_on, "disbursement")
        if external_id and self._loans.external_id_taken(caller.tenant, external_id):
            if caller.settings["olderCodes"]:
                raise data_integrity()
            raise data_integrity("error.msg.loan.disbursement.duplicate.externalId", "externalId")
        item = self._book(
            loan, caller, paid_on, amount or approved, payment | {"externalId": external_id, "note": body.get("note")}
        )
        named = {"subResourceId": item["id"], "subResourceExternalId": external_id}
        return named, {key: value for key, value in body.items() if key not in ("externalId", "note")}

    def _must_be_disbursable(self, caller: Caller, loan: Loan, amount: Decimal | None) -> None:
        if not self._catalogue.client(caller.tenant, loan["clientId"])["active"]:
            raise rule("error.msg.client.not.active.exception")
        if loan["status"] == "approved":
            return
        if loan["status"] == "active" and amount is not None and caller.settings["secondDisburse"] == 403:
            # Newer servers look at the amount before they look at the state (fineract.md 6).
            raise rule("error.msg.loan.disburse.amount.must.be.less.than.approved.principal")
        raise invalid(("error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state", "id"))

    def _book(self, loan: Loan, caller: Caller, day: date, amount: Decimal, facts: dict[str, Any]) -> dict[str, Any]:
        item = self._loans.new_transaction("disbursement", amount, day, facts, by=caller.username)
        loan["transactions"].append(item)
        charges = Decimal(loan["approvedPrincipal"]) - Decimal(loan["netDisbursalAmount"])
        if charges > 0:
            taken = self._loans.new_transaction("repaymentAtDisbursement", charges, day, {}, by=caller.username)
            loan["transactions"].append(taken)
        loan |= {"status": "active", "disbursedOn": day.isoformat()}
        return item

    def _undo_disbursal(
        self, caller: Caller, loan: Loan, body: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        Fields(body, "loan.disbursal", SPELLING)
        if loan["status"] != "active":
            raise invalid(("error.msg.loan.undo.disbursal.account.is.not.active", "id"))
        for item in loan["transactions"]:
            item["reversed"] = True
        loan |= {"status": "approved", "disbursedOn": None, "interest": "0.00", "repaidBefore": "0.00"}
        return {}, {"actualDisbursementDate": ""}

    # ------------------------------------------------------------------------------------------------ before the money

    def _approve(self, caller: Caller, loan: Loan, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        fields = Fields(body, "loan.approval", _APPROVE_FIELDS)
        approved_on, expected = fields.date("approvedOnDate"), fields.date("expectedDisbursementDate", required=False)
        amount, net = fields.amount("approvedLoanAmount"), fields.amount("netDisbursalAmount")
        assert approved_on is not None
        if loan["status"] != "submitted":
            raise invalid(("error.msg.loan.approval.account.is.not.submitted.and.pending.state", "id"))
        if approved_on > caller.business_date:
            raise rule("error.msg.loan.approval.cannot.be.a.future.date")
        charges = Decimal(loan["approvedPrincipal"]) - Decimal(loan["netDisbursalAmount"])
        total = amount or Decimal(loan["principal"])
        loan |= {
            "status": "approved",
            "approvedOn": approved_on.isoformat(),
            "approvedPrincipal": text(total),
            "netDisbursalAmount": text(net or total - charges),
            "expectedDisbursementOn": (expected or approved_on).isoformat(),
        }
        return {}, dict(body)

    def _undo_approval(self, caller: Caller, loan: Loan, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        Fields(body, "loan.approval.undo", SPELLING)
        if loan["status"] != "approved":
            raise invalid(("error.msg.loan.undo.approval.account.is.not.approved", "id"))
        loan |= {"status": "submitted", "approvedOn": None}
        return {}, {"approvedOnDate": ""}

    def _reject(self, caller: Caller, loan: Loan, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._end(loan, body, "rejected", "rejectedOnDate", "error.msg.loan.reject")

    def _withdraw(self, caller: Caller, loan: Loan, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._end(loan, body, "withdrawn", "withdrawnOnDate", "error.msg.loan.withdrawal")

    def _end(
        self, loan: Loan, body: dict[str, Any], status: str, day: str, code: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        Fields(body, "loan", SPELLING | {day}).date(day)
        if loan["status"] != "submitted":
            raise invalid((f"{code}.account.is.not.submitted.and.pending.state", "id"))
        loan["status"] = status
        return {}, dict(body)
