"""`POST /loans/{id}?command=…` with everything that can go wrong around a disbursal.

Faults of `fineract.disburse` (facts loan_id, tenant):
  locked                    409 before the command row exists: the key is not used up
  still_processing_425      425 without doing anything
  error_500_before          500 without doing anything; options.recorded=true stores it under the key
  disbursed_by_person_first a person pays the loan out in cash, then the command runs
  undone_by_person_first    a person undoes the approval, then the command runs
  slow                      the command takes options.seconds (3) before it does its work
  maker_checker             200 with rollbackTransaction, nothing booked
  conflict_409              refused by a lock and recorded on the key
  refuse                    refused with options.code and options.status, recorded on the key
  timeout_after_commit      booked, and no answer for options.seconds (40) or until the caller hangs up
  error_500_after_commit    booked, then 500
  html_502_after_commit     booked, then a proxy's page
"""

import asyncio
import time
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from simulators.faults import Fault
from simulators.fineract.commands import Commands, still_processing
from simulators.fineract.loans import Loans
from simulators.fineract.replies import Problem, html, problem, server_error
from simulators.fineract.tenants import Caller
from simulators.fineract.transitions import ACTIONS, Transitions
from simulators.world import World

_FAULTS: Final = (
    "locked", "still_processing_425", "error_500_before", "disbursed_by_person_first", "undone_by_person_first",
    "slow", "maker_checker", "conflict_409", "refuse", "timeout_after_commit", "error_500_after_commit",
    "html_502_after_commit",
)  # fmt: skip


class LoanCommands:
    def __init__(self, world: World, loans: Loans, transitions: Transitions, commands: Commands) -> None:
        self._world = world
        self._loans = loans
        self._transitions = transitions
        self._commands = commands
        world.faults.declare("fineract.disburse", *_FAULTS)

    async def run(self, request: Request, caller: Caller, number: int, body: dict[str, Any]) -> Response:
        command = request.query_params.get("command", "").strip().lower()
        if command not in ACTIONS:
            raise problem(400, "error.msg.query.parameter.value.unsupported")
        caller.must(f"{ACTIONS[command]}_LOAN")
        fault = None
        if command == "disburse":
            fault = self._world.faults.next("fineract.disburse", loan_id=str(number), tenant=caller.tenant)
            if (answer := self._before(fault, caller, number, body)) is not None:
                return answer
        answer = await self._commands.run(
            caller,
            ACTIONS[command],
            request.headers.get("idempotency-key"),
            number,
            body,
            lambda: self._transitions.run(command, caller, number, body),
            fault,
        )
        return await self._after(fault, request, answer)

    def _before(self, fault: Fault | None, caller: Caller, number: int, body: dict[str, Any]) -> Response | None:
        if fault is None:
            return None
        if fault.action == "locked":
            # Written raw by a filter: no `errors` (fineract.md 10).
            return Problem(
                409, {"httpStatusCode": "409", "userMessageGlobalisationCode": "error.msg.loan.locked"}
            ).response()
        if fault.action == "still_processing_425":
            return still_processing(body)
        if fault.action == "error_500_before" and not fault.options.get("recorded"):
            return server_error().response()
        loan = self._loans.get(caller.tenant, number)
        if fault.action == "disbursed_by_person_first" and loan["status"] == "approved":
            self._transitions.disburse_by_hand(caller, loan)
        if fault.action == "undone_by_person_first" and loan["status"] == "approved":
            self._transitions.undo_approval_by_hand(loan)
        return None

    async def _after(self, fault: Fault | None, request: Request, answer: Response) -> Response:
        if fault is None:
            return answer
        if fault.action == "timeout_after_commit":
            end = time.monotonic() + float(fault.options.get("seconds", 40))
            while time.monotonic() < end and not await request.is_disconnected():  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.02)
        if fault.action == "error_500_after_commit":
            return server_error().response()
        if fault.action == "html_502_after_commit":
            return html(502, "502 Bad Gateway")
        return answer
