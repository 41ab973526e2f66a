"""Gives stored webhooks to their sagas by update, under the provider's own id: once taken, always the same answer."""

from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCError, RPCStatusCode

from models.messages.payouts import PayoutReport, ReportTaken
from models.tables.disbursements import PayoutAttempt
from models.tables.traffic import InboxItem
from store import cases, inbox, payouts, timeline
from store.database import Database

log = structlog.get_logger()


async def deliver(client: Client, database: Database, inbox_id: str, *, rpc_timeout: timedelta) -> None:
    """Delivers one item, or postpones it; a stored item is never dropped (SCARS: "the event row exists" is not
    "the webhook was delivered"). What no saga takes any more is compared with what was recorded, and becomes a case if
    it contradicts that."""
    async with database.transaction() as session:
        item = await inbox.get(session, inbox_id)
    if item is None or item.delivered_at is not None:
        return
    report = PayoutReport.model_validate(item.report)
    try:
        taken = await client.get_workflow_handle(item.workflow_id).execute_update(
            "report",
            report,
            id=f"cb:{item.provider}:{item.external_id}",
            result_type=ReportTaken,
            rpc_timeout=rpc_timeout,
        )
        outcome = "contradiction" if taken.effect == "contradicts" else "taken"
    except WorkflowUpdateFailedError:
        outcome = await _unclaimed(database, item, report, refused=True)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            await _postpone(database, inbox_id, error.status.name)
            return
        outcome = await _unclaimed(database, item, report, refused=False)
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
        await _postpone(database, inbox_id, "timeout")
        return
    async with database.transaction() as session:
        await inbox.delivered(session, inbox_id, outcome)


async def _postpone(database: Database, inbox_id: str, why: str) -> None:
    async with database.transaction() as session:
        item = await inbox.get(session, inbox_id)
        if item is not None and item.delivered_at is None:
            again = await inbox.postpone(session, item)
            log.info("delivery_postponed", inbox_id=inbox_id, why=why, again=again.isoformat())


async def _unclaimed(database: Database, item: InboxItem, report: PayoutReport, *, refused: bool) -> str:
    """The saga has ended, or does not know the reference: agreeing news is redundant, any other needs a person."""
    async with database.transaction() as session:
        attempt = await payouts.get(session, item.reference)
        if report.state in ("pending", "unclear") or _agrees(attempt, report):
            return "redundant"
        late = attempt is not None and attempt.state in ("paid", "failed")
        text = (
            f"After the saga's end M-Pesa reported “{report.state}”, which contradicts the recorded outcome."
            if late
            else "M-Pesa reported on a payout that no saga waits for."
        )
        await cases.open_case(
            session,
            key=f"inbox:{item.id}",
            kind="payout_contradiction" if late else "report_unclaimed",
            summary=text,
            evidence={
                "inbox_id": item.id,
                "reference": item.reference,
                "recorded": attempt.state if attempt else "nothing",
                "recorded_receipt": (attempt and attempt.receipt) or "-",
                "reported": report.state,
                "reported_receipt": report.receipt or "-",
                "code": report.code,
            },
            partner_id=attempt.partner_id if attempt else None,
            workflow_id=item.workflow_id,
        )
        await timeline.write(session, item.workflow_id, f"inbox:{item.id}", text, tone="bad", code=report.code)
    if late:
        return "contradiction"
    return "refused" if refused else "unclaimed"


def _agrees(attempt: PayoutAttempt | None, report: PayoutReport) -> bool:
    if attempt is None or attempt.state != report.state:
        return False
    return attempt.state == "failed" or attempt.receipt == report.receipt
