"""`POST /loans/{id}/transactions…` and `POST /savingsaccounts/{id}/transactions…`, with all that goes wrong there.

Faults of `fineract.repay` (facts loan_id, tenant) and `fineract.deposit` (savings_id, tenant): those of trouble.py, and
  booked_by_person_first  a person types this very payment in, receipt and all but not our external id, before us
  closed_by_person_first  a person takes the rest of the loan in cash, or closes the savings account, before us
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from simulators.faults import Fault
from simulators.fineract.commands import Commands
from simulators.fineract.deposits import Deposits
from simulators.fineract.loans import Loans
from simulators.fineract.repayments import Repayments
from simulators.fineract.replies import problem
from simulators.fineract.savings import Savings
from simulators.fineract.tenants import Caller
from simulators.fineract.trouble import TROUBLE, answer_after, answer_before
from simulators.world import World

_PERSON: Final = ("booked_by_person_first", "closed_by_person_first")

Work = Callable[[], dict[str, Any]]


class PaymentCommands:
    def __init__(
        self,
        world: World,
        loans: Loans,
        savings: Savings,
        repayments: Repayments,
        deposits: Deposits,
        commands: Commands,
    ) -> None:
        self._world = world
        self._loans = loans
        self._savings = savings
        self._repayments = repayments
        self._deposits = deposits
        self._commands = commands
        for operation in ("fineract.repay", "fineract.deposit"):
            world.faults.declare(operation, *TROUBLE, *_PERSON)

    async def repay(self, request: Request, caller: Caller, number: int, body: dict[str, Any]) -> Response:
        if _command(request) != "repayment":
            raise problem(400, "error.msg.query.parameter.value.unsupported")
        caller.must("REPAYMENT_LOAN")
        fault = self._world.faults.next("fineract.repay", loan_id=str(number), tenant=caller.tenant)
        work = lambda: self._repayments.repay(caller, number, body)  # noqa: E731
        if fault and fault.action in _PERSON:
            self._at_the_counter_of_a_loan(fault, caller, number, body)
        return await self._run(request, caller, ("LOAN", "REPAYMENT"), number, body, work, fault)

    async def adjust(
        self, request: Request, caller: Caller, number: int, transaction: int, body: dict[str, Any]
    ) -> Response:
        caller.must("ADJUST_LOAN")
        work = lambda: self._repayments.adjust(caller, number, transaction, body)  # noqa: E731
        return await self._run(request, caller, ("LOAN", "ADJUST"), number, body, work)

    async def deposit(self, request: Request, caller: Caller, number: int, body: dict[str, Any]) -> Response:
        if request.query_params.get("command") != "deposit":  # an exact switch, unlike that of loans (fineract.md 2)
            raise problem(400, "error.msg.query.parameter.value.unsupported")
        caller.must("DEPOSIT_SAVINGSACCOUNT")
        fault = self._world.faults.next("fineract.deposit", savings_id=str(number), tenant=caller.tenant)
        work = lambda: self._deposits.deposit(caller, number, body)  # noqa: E731
        if fault and fault.action in _PERSON:
            self._at_the_counter_of_savings(fault, caller, number, body)
        return await self._run(request, caller, ("SAVINGSACCOUNT", "DEPOSIT"), number, body, work, fault)

    async def undo_deposit(
        self, request: Request, caller: Caller, number: int, transaction: int, body: dict[str, Any]
    ) -> Response:
        if request.query_params.get("command") != "undo":
            raise problem(400, "error.msg.query.parameter.value.unsupported")
        caller.must("UNDOTRANSACTION_SAVINGSACCOUNT")
        work = lambda: self._deposits.undo(caller, number, transaction, body)  # noqa: E731
        return await self._run(request, caller, ("SAVINGSACCOUNT", "UNDOTRANSACTION"), number, body, work)

    async def _run(
        self, request: Request, caller: Caller, event: tuple[str, str], number: int, body: dict[str, Any], work: Work,
        fault: Fault | None = None,
    ) -> Response:  # fmt: skip
        if (answer := answer_before(fault, body)) is not None:
            return answer
        key = request.headers.get("idempotency-key")
        return await answer_after(
            fault, request, await self._commands.run(caller, event, key, number, body, work, fault)
        )

    def _at_the_counter_of_a_loan(self, fault: Fault, caller: Caller, number: int, body: dict[str, Any]) -> None:
        loan = self._loans.get(caller.tenant, number)
        if fault.action == "closed_by_person_first":
            self._repayments.pay_off_by_hand(loan, caller.business_date)
        else:
            self._repayments.book(loan, *_typed_in(body), "clerk")

    def _at_the_counter_of_savings(self, fault: Fault, caller: Caller, number: int, body: dict[str, Any]) -> None:
        account = self._savings.get(caller.tenant, number)
        if fault.action == "closed_by_person_first":
            self._deposits.close_by_hand(account)
        else:
            self._savings.add(account, *_typed_in(body), "clerk")


def _command(request: Request) -> str:
    return request.query_params.get("command", "").strip().lower()


def _typed_in(body: dict[str, Any]) -> tuple[Decimal, date, dict[str, Any]]:
    """What a clerk types in from the customer's message: no external id, and not the number."""
    details = {"receiptNumber": body["receiptNumber"], "paymentTypeId": body["paymentTypeId"], "paymentType": "M-Pesa"}
    return Decimal(body["transactionAmount"]), date.fromisoformat(body["transactionDate"]), details
