"""What goes wrong around a command that books money, whichever it is.

Faults of `fineract.disburse` and `fineract.repay` (facts loan_id, tenant) and of `fineract.deposit` (savings_id, tenant):
  locked                    409 before the command row exists: the key is not used up
  still_processing_425      425 without doing anything
  error_500_before          500 without doing anything; options.recorded=true stores it under the key
  slow                      the command takes options.seconds (3) before it does its work
  maker_checker             200 with rollbackTransaction, nothing booked
  conflict_409              refused by a lock and recorded on the key
  refuse                    refused with options.code and options.status, recorded on the key
  timeout_after_commit      booked, and no answer for options.seconds (40) or until the caller hangs up
  error_500_after_commit    booked, then 500
  html_502_after_commit     booked, then a proxy's page
What a person does first is each command's own (disbursing.py, paying.py).
"""

import asyncio
import time
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from simulators.faults import Fault
from simulators.fineract.commands import still_processing
from simulators.fineract.replies import Problem, html, server_error

TROUBLE: Final = (
    "locked", "still_processing_425", "error_500_before", "slow", "maker_checker", "conflict_409", "refuse",
    "timeout_after_commit", "error_500_after_commit", "html_502_after_commit",
)  # fmt: skip


def answer_before(fault: Fault | None, body: dict[str, Any]) -> Response | None:
    """The answer that comes before the command is looked at, if any."""
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
    return None


async def answer_after(fault: Fault | None, request: Request, answer: Response) -> Response:
    """What becomes of the true answer on its way back."""
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
