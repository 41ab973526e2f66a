"""A person's command to a running saga: an update with a deterministic id, refused in plain words. The same for one saga and
for many at once."""

from datetime import datetime, timedelta
from typing import Final, Protocol

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from core.errors import Busy, Conflict, InvalidRequest, KivukoError
from models.messages.base import Message
from models.messages.saga.decisions import CommandTaken

TIMEOUT: Final = timedelta(seconds=10)

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
    client: Client, row: Row, update: str, message: Message, update_id: str, *, repeatable: bool = False
) -> CommandTaken:
    """Raises Conflict (wrong stage, ended), InvalidRequest (a fact is missing), Busy (no worker took it in time). A
    `repeatable` one is sent even to a saga that has ended: Temporal gives the first answer again."""
    if row.ended_at is not None and not repeatable:
        raise Conflict("The saga has ended.", code="ended", stage=row.stage)
    try:
        taken: CommandTaken = await client.get_workflow_handle(row.workflow_id).execute_update(
            update, message, id=update_id, result_type=CommandTaken, rpc_timeout=TIMEOUT
        )
        return taken
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise Busy("The saga did not take the command in time; repeat it.", code="saga_busy") from None
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise not_there(row) from None
        raise


def not_there(row: Row) -> KivukoError:
    """What it means that Temporal knows no running workflow of this saga."""
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
