"""`POST /loans/{id}?command=…`, with what people do to a loan just before it is disbursed.

Faults of `fineract.disburse` (facts loan_id, tenant): those of trouble.py, and
  disbursed_by_person_first a person pays the loan out in cash, then the command runs
  undone_by_person_first    a person undoes the approval, then the command runs
"""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from simulators.faults import Fault
from simulators.fineract.commands import Commands
from simulators.fineract.loans import Loans
from simulators.fineract.replies import problem
from simulators.fineract.tenants import Caller
from simulators.fineract.transitions import ACTIONS, Transitions
from simulators.fineract.trouble import TROUBLE, answer_after, answer_before
from simulators.world import World


class LoanCommands:
    def __init__(self, world: World, loans: Loans, transitions: Transitions, commands: Commands) -> None:
        self._world = world
        self._loans = loans
        self._transitions = transitions
        self._commands = commands
        world.faults.declare("fineract.disburse", *TROUBLE, "disbursed_by_person_first", "undone_by_person_first")

    async def run(self, request: Request, caller: Caller, number: int, body: dict[str, Any]) -> Response:
        command = request.query_params.get("command", "").strip().lower()
        if command not in ACTIONS:
            raise problem(400, "error.msg.query.parameter.value.unsupported")
        caller.must(f"{ACTIONS[command]}_LOAN")
        fault = None
        if command == "disburse":
            fault = self._world.faults.next("fineract.disburse", loan_id=str(number), tenant=caller.tenant)
            if (answer := answer_before(fault, body)) is not None:
                return answer
            self._person_first(fault, caller, number)
        answer = await self._commands.run(
            caller,
            ("LOAN", ACTIONS[command]),
            request.headers.get("idempotency-key"),
            number,
            body,
            lambda: self._transitions.run(command, caller, number, body),
            fault,
        )
        return await answer_after(fault, request, answer)

    def _person_first(self, fault: Fault | None, caller: Caller, number: int) -> None:
        if fault is None or not fault.action.endswith("_by_person_first"):
            return
        loan = self._loans.get(caller.tenant, number)
        if fault.action == "disbursed_by_person_first" and loan["status"] == "approved":
            self._transitions.disburse_by_hand(caller, loan)
        if fault.action == "undone_by_person_first" and loan["status"] == "approved":
            self._transitions.undo_approval_by_hand(loan)
