"""A report on a payout, given to its saga by update under the provider's own id: once taken, always the same answer."""

from datetime import timedelta
from importlib import import_module

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from models import kinds, providers
from models.messages.saga.reports import Report, ReportTaken
from models.tables.platform.traffic import InboxItem
from models.tables.saga.payout_attempt import PayoutAttempt
from store.database import Database
from store.saga import cases, payouts, timeline


async def told_by(session: AsyncSession, item: InboxItem) -> Report:
    """The report that an item holds, as it may be believed now."""
    report = Report.model_validate(item.report)
    return await payouts.with_own_receipt(session, report) if item.workflow_id is not None else report


async def give(client: Client, database: Database, item: InboxItem, report: Report, *, rpc_timeout: timedelta) -> str:
    """The outcome for the inbox, of a report as `told_by` gave it. What no saga takes any more is compared with what was
    recorded, and becomes a case if it contradicts that. Raises RPCError or a time-out where nobody could be asked."""
    if item.workflow_id is None:
        return await _unexplained(database, item, report)
    try:
        taken = await client.get_workflow_handle(item.workflow_id).execute_update(
            "report",
            report,
            id=f"cb:{item.provider}:{item.external_id}",
            result_type=ReportTaken,
            rpc_timeout=rpc_timeout,
        )
        if taken.effect != "contradicts":
            return "taken"
        if report.state == "paid":
            async with database.transaction() as session:
                await _paid_after_all(session, item.workflow_id, report.reference)
        return "contradiction"
    except WorkflowUpdateFailedError:
        return await _unclaimed(database, item, item.workflow_id, report, refused=True)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return await _unclaimed(database, item, item.workflow_id, report, refused=False)


async def _unclaimed(database: Database, item: InboxItem, workflow_id: str, report: Report, *, refused: bool) -> str:
    """The saga has ended, or does not know the reference: agreeing news is redundant, any other needs a person."""
    title = providers.named(item.provider).title
    async with database.transaction() as session:
        attempt = await payouts.get(session, item.reference)
        if report.state in ("pending", "unclear") or _agrees(attempt, report):
            return "redundant"
        late = attempt is not None and attempt.state in ("paid", "failed")
        text = (
            f"After the saga's end {title} reported “{report.state}”, which contradicts the recorded outcome."
            if late
            else f"A report by {title} is on a payout that no saga waits for."
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
            workflow_id=workflow_id,
        )
        await timeline.write(session, workflow_id, f"inbox:{item.id}", text, tone="bad", code=report.code)
        if late and report.state == "paid":
            await _paid_after_all(session, workflow_id, item.reference)
    if late:
        return "contradiction"
    return "refused" if refused else "unclaimed"


async def _paid_after_all(session: AsyncSession, workflow_id: str, reference: str | None) -> None:
    """What is recorded as failed was paid: a kind whose payments could be made twice by that has a look of its own."""
    kind = kinds.of_workflow(workflow_id)
    look = getattr(import_module(kind.module("store")), "look_for_second_payment", None) if kind else None
    if look is not None:
        await look(session, workflow_id, reported=reference)


async def _unexplained(database: Database, item: InboxItem, report: Report) -> str:
    """Money left an account of the partner, and no instruction of ours explains it."""
    if report.state != "paid":
        return "redundant"
    async with database.transaction() as session:
        await cases.open_case(
            session,
            key=f"inbox:{item.id}",
            kind="debit_unexplained",
            summary="Money left a bank account and names no instruction of ours.",
            evidence={
                "inbox_id": item.id,
                "amount": str(report.amount) if report.amount else "-",
                "bank_reference": report.receipt or "-",
            },
            partner_id=item.partner_id,
        )
    return "unclaimed"


def _agrees(attempt: PayoutAttempt | None, report: Report) -> bool:
    if attempt is None or attempt.state != report.state:
        return False
    return (
        attempt.state == "failed"
        or attempt.receipt == report.receipt
        or not providers.named(attempt.provider).one_receipt
    )
