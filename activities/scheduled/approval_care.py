"""Care of requests for approval: those whose time is over expire, and sagas hear what they have not heard yet."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode

from core.clock import utc_now
from models.messages.housekeeping import ApprovalsCared
from models.messages.saga.approvals import Decide
from models.tables.platform.approval import ApprovalRequest
from notices import approvals as notices
from store.database import Database
from store.platform import approval_policies, approval_rules, approvals, approvers, audit, people

log = structlog.get_logger()

_AT_MOST: Final = 200
_AT_ONCE: Final = 8
_UNTOLD_AFTER: Final = timedelta(seconds=20)
_UPDATE_TIMEOUT: Final = timedelta(seconds=10)


@dataclass(frozen=True)
class ApprovalCare:
    database: Database
    client: Client
    console_url: str

    @activity.defn(name="approvals.care")
    async def care(self) -> ApprovalsCared:
        """Harmless beside another one, and when it is done again: an expiry is a state, an update has an id, and a notice a
        count."""
        async with self.database.transaction() as session:
            expired = await approvals.expire_due(session, limit=_AT_MOST)
            for row in expired:
                await audit.write(session, actor="sweep", action="approvals.expire", subject=row.id)
        async with self.database.transaction() as session:
            untold = await approvals.untold(session, before=utc_now() - _UNTOLD_AFTER, limit=_AT_MOST)
        due = {row.id: row for row in [*(row for row in expired if row.workflow_id), *untold]}
        await self._notify()
        gate = asyncio.Semaphore(_AT_ONCE)
        told = await asyncio.gather(*(self._tell(gate, row) for row in due.values()))
        return ApprovalsCared(expired=len(expired), told=sum(told))

    async def _notify(self) -> None:
        async with self.database.transaction() as session:
            for row in await approvals.waiting(session, limit=_AT_MOST):
                policies = await approval_policies.of_act(session, row.act)
                policy = approval_rules.applying(policies, row.act, row.amount_minor, row.currency)[0]
                if notice := notices.due(row, policy, utc_now()):
                    await self._notify_of(session, row, notice)

    async def _notify_of(self, session: AsyncSession, row: ApprovalRequest, notice: notices.Notice) -> None:
        given = approval_rules.approvals(await approvals.answers(session, row.id), row.version)
        barred = [*row.barred, *row.beneficiaries, *(person for one in given for person in one.people)]
        could = await approvers.eligible(
            session, scope=row.scope, partner_id=row.partner_id, barred=barred, house_only=row.house_only
        )
        whom = {person.id: person for person in await people.of_ids(session, could)}
        if notice == "escalated":
            whom |= {person.id: person for person in await people.admins(session) if person.id not in barred}
            row.escalated_at = utc_now()
        else:
            row.reminders += 1
        missing = max(1, row.approvers - len(given))
        await notices.tell(session, row, list(whom.values()), notice, missing=missing, base_url=self.console_url)
        session.add(row)

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
