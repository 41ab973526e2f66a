"""A person's command to a running saga: an update with a deterministic id, refused in plain words."""

from datetime import timedelta
from typing import Final

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.dependencies import Services
from core.errors import Busy, Conflict, InvalidRequest, KivukoError
from models.messages.base import Message
from models.messages.disbursements import DisbursementStatus
from models.messages.payouts import CommandTaken
from models.tables.disbursements import Disbursement

_COMMAND_TIMEOUT: Final = timedelta(seconds=10)
_QUERY_TIMEOUT: Final = timedelta(seconds=1.5)

# Refusals of the saga's validators that are about the request's content and not about the moment.
_FIELD_TO_BLAME: Final = {"receipt_missing": "receipt"}


async def tell(house: Services, row: Disbursement, update: str, message: Message, update_id: str) -> CommandTaken:
    """Raises Conflict (wrong stage, ended), InvalidRequest (a fact is missing), Busy (no worker took it in time)."""
    if row.ended_at is not None:
        raise Conflict("The disbursement has ended.", code="ended", stage=row.stage)
    try:
        taken: CommandTaken = await house.client.get_workflow_handle(row.workflow_id).execute_update(
            update, message, id=update_id, result_type=CommandTaken, rpc_timeout=_COMMAND_TIMEOUT
        )
        return taken
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise Busy("The saga did not take the command in time; repeat it.", code="saga_busy") from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            if row.stage == "requested":
                raise Busy("The saga has not started yet; try again in a moment.", code="not_started") from None
            raise Conflict("The saga has ended.", code="ended", stage=row.stage) from None
        raise


async def ask_status(house: Services, row: Disbursement) -> DisbursementStatus | None:
    """The running saga's own words; None if it has ended or does not answer at once."""
    if row.ended_at is not None:
        return None
    try:
        status: DisbursementStatus = await house.client.get_workflow_handle(row.workflow_id).query(
            "status", result_type=DisbursementStatus, rpc_timeout=_QUERY_TIMEOUT
        )
        return status
    except Exception:  # a page must not fail because one source of it is silent
        return None


def _refusal(error: WorkflowUpdateFailedError) -> KivukoError:
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return Conflict("The saga refused the command.", code="refused")
    code = cause.type or "refused"
    if code in _FIELD_TO_BLAME:
        return InvalidRequest(cause.message, code=code, field=_FIELD_TO_BLAME[code])
    return Conflict(cause.message, code=code)
