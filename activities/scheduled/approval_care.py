"""Care of requests for approval: those whose time is over expire, and sagas hear what they have not heard yet."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from core.clock import utc_now
from models.messages.housekeeping import ApprovalsCared
from models.messages.saga.approvals import Decide
from models.tables.platform.approval import ApprovalRequest
from store.database import Database
from store.platform import approvals, audit

log = structlog.get_logger()

_AT_MOST: Final = 200
_AT_ONCE: Final = 8
_UNTOLD_AFTER: Final = timedelta(seconds=20)
_UPDATE_TIMEOUT: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class ApprovalCare:
    database: Database
    client: Client

    @activity.defn(name="approvals.care")
    async def care(self) -> ApprovalsCared:
        """Harmless beside another one, and when it is done again: an expiry is a state, and an update has an id."""
        async with self.database.transaction() as session:
            expired = await approvals.expire_due(session, limit=_AT_MOST)
            for row in expired:
                await audit.write(session, actor="sweep", action="approvals.expire", subject=row.id)
        async with self.database.transaction() as session:
            untold = await approvals.untold(session, before=utc_now() - _UNTOLD_AFTER, limit=_AT_MOST)
        due = {row.id: row for row in [*(row for row in expired if row.workflow_id), *untold]}
        gate = asyncio.Semaphore(_AT_ONCE)
        told = await asyncio.gather(*(self._tell(gate, row) for row in due.values()))
        return ApprovalsCared(expired=len(expired), told=sum(told))

    async def _tell(self, gate: asyncio.Semaphore, row: ApprovalRequest) -> bool:
        """Whether the saga has taken it, or will never: it has ended, or has gone on to another question."""
        assert row.workflow_id is not None
        async with self.database.transaction() as session:
            given = await approvals.answers(session, row.id)
        update_id = f"apr:{row.id}:{given[-1].id if given else row.state}"
        async with gate:
            try:
                await self.client.get_workflow_handle(row.workflow_id).execute_update(
                    "decide", Decide(request=row.id), id=update_id, rpc_timeout=_UPDATE_TIMEOUT
                )
            except WorkflowUpdateFailedError as refused:
                log.info("answer_came_too_late", request_id=row.id, why=str(refused.cause)[:200])
            except (RPCError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
                if getattr(error, "status", None) != RPCStatusCode.NOT_FOUND:
                    log.warning("saga_not_told", request_id=row.id, error=type(error).__name__)
                    return False
        async with self.database.transaction() as session:
            await approvals.told(session, row.id)
        return True
