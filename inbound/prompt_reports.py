"""A report on a prompt to a payer, given to its saga; a payment that it tells of is taken in whatever the saga says, if it
fits what was asked for."""

from datetime import timedelta
from importlib import import_module

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from core.clock import utc_now
from core.money import Money
from core.msisdn import Msisdn
from inbound import money_in
from models import kinds
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.policies import PromptPolicy
from models.messages.saga.reports import Report, ReportTaken
from models.tables.platform.traffic import InboxItem
from models.tables.saga.prompt import Prompt
from models.tables.saga.saga_row import MoneyInRow
from store.database import Database
from store.saga import cases, prompts, saga_rows, timeline


async def give(client: Client, database: Database, item: InboxItem, report: Report, *, rpc_timeout: timedelta) -> str:
    """The outcome for the inbox. What no saga takes any more is compared with what was recorded, and becomes a case if it
    contradicts that. Raises RPCError or a time-out where nobody could be asked."""
    outcome = await _tell(client, item, report, rpc_timeout)
    if outcome == "taken":
        return outcome
    async with database.transaction() as session:
        prompt = await prompts.get(session, item.reference)
        row = await saga_rows.of_workflow(session, prompt.workflow_id) if prompt else None
        if prompt is None or not isinstance(row, MoneyInRow):
            return outcome
        why = _objection(prompt, row, report)
        if why is not None and outcome != "contradiction":
            await _open_case(session, item, row, report, why)
            outcome = "contradiction"
    if report.state != "paid" or report.receipt is None or not _fits(prompt, report):
        return outcome if outcome == "contradiction" else "redundant"
    if report.receipt == row.booked_receipt or _needs_confirmation(row):
        return outcome if outcome == "contradiction" else "redundant"
    # The payer paid after the saga gave up: that money is somebody's, and gets a saga of its own unless one has booked it.
    announced = AnnouncedPayment(
        partner_id=prompt.partner_id,
        provider=prompt.provider,
        external_id=report.receipt,
        account="",
        amount=Money(prompt.amount_minor, prompt.currency),
        reference=prompt.payer_reference,
        payer_phone=Msisdn(prompt.msisdn) if prompt.msisdn else None,
        happened_at=report.happened_at or utc_now(),
        channel="callback",
    )
    taken_in = await money_in.take_in(client, database, announced, rpc_timeout=rpc_timeout)
    return outcome if outcome == "contradiction" else taken_in


async def _tell(client: Client, item: InboxItem, report: Report, rpc_timeout: timedelta) -> str:
    """taken, contradiction (its saga wrote that down), refused or unclaimed (no saga heard it)."""
    assert item.workflow_id is not None
    try:
        taken = await client.get_workflow_handle(item.workflow_id).execute_update(
            "report",
            report,
            id=f"cb:{item.provider}:{item.external_id}",
            result_type=ReportTaken,
            rpc_timeout=rpc_timeout,
        )
    except WorkflowUpdateFailedError:
        return "refused"
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return "unclaimed"
    return "contradiction" if taken.effect == "contradicts" else "taken"


def _objection(prompt: Prompt, row: MoneyInRow, report: Report) -> str | None:
    """Why a report that no saga heard does not agree with what was recorded; None if it does, or says nothing final."""
    if report.state in ("pending", "unclear"):
        return None
    if report.state == "failed":
        return "says “failed” of a payment that was booked" if row.booked_receipt is not None else None
    if not _fits(prompt, report):
        return "does not fit what was asked for"
    if row.booked_receipt is not None and report.receipt != row.booked_receipt:
        return "names another receipt than the booked one"
    if row.booked_receipt is not None:
        agrees = report.amount in (None, row.amount)
        return None if agrees else "tells another amount than the booked one"
    if row.stage in ("failed", "withdrawn"):
        return "says “paid” after a recorded failure"
    return "is about a large amount, and only an announcement proves that" if _needs_confirmation(row) else None


def _fits(prompt: Prompt, report: Report) -> bool:
    """A callback bears no signature: what is not what was asked for is believed in nothing."""
    asked = Money(prompt.amount_minor, prompt.currency)
    digits = Msisdn(prompt.msisdn).digits if prompt.msisdn else None
    return report.amount in (None, asked) and report.party_digits in (None, digits)


def _needs_confirmation(row: MoneyInRow) -> bool:
    policy: PromptPolicy = import_module(kinds.of_row(row).module("store")).prompt_policy(row)
    return policy.confirm_from_minor is not None and row.amount.minor >= policy.confirm_from_minor


async def _open_case(session: AsyncSession, item: InboxItem, row: MoneyInRow, report: Report, why: str) -> None:
    text = f"After the saga's end a report on its prompt {why}."
    # The saga's own key for the same report: it may have taken it, and ended before its answer reached us.
    about = f"{report.reference}:contradiction:{report.state}:{report.code}:{report.receipt or '-'}"
    await cases.open_case(
        session,
        key=f"{row.workflow_id}:collection_contradiction:{about}",
        kind="collection_contradiction",
        summary=text,
        evidence={
            "inbox_id": item.id,
            "reference": report.reference,
            "recorded": row.stage,
            "recorded_receipt": row.booked_receipt or "-",
            "reported": report.state,
            "reported_receipt": report.receipt or "-",
            "code": report.code,
        },
        partner_id=row.partner_id,
        workflow_id=row.workflow_id,
    )
    await timeline.write(session, row.workflow_id, f"inbox:{item.id}", text, tone="bad", code=report.code)
