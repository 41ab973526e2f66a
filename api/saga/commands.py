"""What the API says to a running saga and asks of it: see `temporal/commands.py`, which bulk actions use too."""

from datetime import timedelta
from typing import Final

from temporalio.service import RPCError, RPCStatusCode

from api.http.dependencies import Services
from core.errors import Busy, Conflict
from models.messages.base import Message
from models.messages.saga.decisions import CommandTaken
from models.messages.saga.status import SagaStatus
from temporal import commands
from temporal.commands import Row

_QUERY_TIMEOUT: Final = timedelta(seconds=1.5)


async def send_update(
    services: Services, row: Row, update: str, message: Message, update_id: str, *, repeatable: bool = False
) -> CommandTaken:
    """Raises as `temporal.commands.send_update` does."""
    return await commands.send_update(services.client, row, update, message, update_id, repeatable=repeatable)


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
            "status", result_type=SagaStatus, rpc_timeout=commands.TIMEOUT
        )
        return status
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise commands.not_there(row) from None
        if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
            raise Busy("The saga did not answer in time; repeat it.", code="saga_busy") from None
        raise
