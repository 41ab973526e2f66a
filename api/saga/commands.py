"""A person's command to a running saga: an update with a deterministic id, refused in plain words."""

from datetime import datetime, timedelta
from typing import Final, Protocol

from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.http.dependencies import Services
from core.errors import Busy, Conflict, InvalidRequest, KivukoError
from models.messages.base import Message
from models.messages.saga.decisions import CommandTaken
from models.messages.saga.status import SagaStatus

_COMMAND_TIMEOUT: Final = timedelta(seconds=10)
_QUERY_TIMEOUT: Final = timedelta(seconds=1.5)

# Refusals of the saga's validators that are about the request's content and not about the moment.
_FIELD_TO_BLAME: Final = {
    "receipt_missing": "receipt", "allocations_missing": "allocations", "allocation_sum": "allocations",
}  # fmt: skip


class Row(Protocol):
    """What every saga's list row has."""

    @property
    def id(self) -> str: ...
    @property
    def partner_id(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def ended_at(self) -> datetime | None: ...


async def send_update(
    services: Services, row: Row, update: str, message: Message, update_id: str, *, repeatable: bool = False
) -> CommandTaken:
    """Raises Conflict (wrong stage, ended), InvalidRequest (a fact is missing), Busy (no worker took it in time). A
    `repeatable` one is sent even to a saga that has ended: Temporal gives the first answer again."""
    if row.ended_at is not None and not repeatable:
        raise Conflict("The saga has ended.", code="ended", stage=row.stage)
    try:
        taken: CommandTaken = await services.client.get_workflow_handle(row.workflow_id).execute_update(
            update, message, id=update_id, result_type=CommandTaken, rpc_timeout=_COMMAND_TIMEOUT
        )
        return taken
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise Busy("The saga did not take the command in time; repeat it.", code="saga_busy") from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise _not_there(row) from None
        raise


async def query_status(services: Services, row: Row) -> SagaStatus | None:
    """The running saga's own words; None if it has ended or does not answer at once."""
    if row.ended_at is not None:
        return None
    try:
        status: SagaStatus = await services.client.get_workflow_handle(row.workflow_id).query(
            "status", result_type=SagaStatus, rpc_timeout=_QUERY_TIMEOUT
        )
        return status
    except Exception:  # a page must not fail because one source of it is silent
        return None


async def status_to_decide(services: Services, row: Row) -> SagaStatus:
    """The running saga's own words, without which nobody can say what a decision is about. Raises as `send_update`
    does."""
    if row.ended_at is not None:
        raise Conflict("The saga has ended.", code="ended", stage=row.stage)
    try:
        status: SagaStatus = await services.client.get_workflow_handle(row.workflow_id).query(
            "status", result_type=SagaStatus, rpc_timeout=_COMMAND_TIMEOUT
        )
        return status
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise _not_there(row) from None
        if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
            raise Busy("The saga did not answer in time; repeat it.", code="saga_busy") from None
        raise


def _not_there(row: Row) -> KivukoError:
    if row.stage == "requested":
        return Busy("The saga has not started yet; try again in a moment.", code="not_started")
    return Conflict("The saga has ended.", code="ended", stage=row.stage)


def _refusal(error: WorkflowUpdateFailedError) -> KivukoError:
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return Conflict("The saga refused the command.", code="refused")
    code = cause.type or "refused"
    if code in _FIELD_TO_BLAME:
        return InvalidRequest(cause.message, code=code, field=_FIELD_TO_BLAME[code])
    return Conflict(cause.message, code=code)
