"""Gives stored webhooks to the sagas that they are for, and never drops one (SCARS: "the event row exists" is not "the
webhook was delivered"): an item that nobody could take now is tried again, without end."""

from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from models.messages.collections import AnnouncedPayment, PaymentRecorded, PromptReport
from models.messages.payouts import PayoutReport
from models.tables.traffic import InboxItem
from store import inbox
from store.database import Database
from temporal import money_in, payment_notices, payout_reports, prompt_reports

log = structlog.get_logger()


async def deliver(client: Client, database: Database, inbox_id: str, *, rpc_timeout: timedelta) -> None:
    """Delivers one item, or postpones it. Harmless to repeat: sagas take each external id once."""
    async with database.transaction() as session:
        item = await inbox.get(session, inbox_id)
    if item is None or item.delivered_at is not None:
        return
    try:
        outcome = await _give(client, database, item, rpc_timeout)
    except RPCError as error:
        await _postpone(database, inbox_id, error.status.name)
        return
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
        await _postpone(database, inbox_id, "timeout")
        return
    async with database.transaction() as session:
        await inbox.delivered(session, inbox_id, outcome)


async def _give(client: Client, database: Database, item: InboxItem, rpc_timeout: timedelta) -> str:
    if item.kind == "payment":
        payment = AnnouncedPayment.model_validate(item.report)
        return await money_in.take_in(client, database, payment, rpc_timeout=rpc_timeout)
    if item.kind == "prompt":
        prompt = PromptReport.model_validate(item.report)
        return await prompt_reports.give(client, database, item, prompt, rpc_timeout=rpc_timeout)
    if item.kind == "recorded":
        return await payment_notices.give(client, PaymentRecorded.model_validate(item.report))
    report = PayoutReport.model_validate(item.report)
    return await payout_reports.give(client, database, item, report, rpc_timeout=rpc_timeout)


async def _postpone(database: Database, inbox_id: str, why: str) -> None:
    async with database.transaction() as session:
        item = await inbox.get(session, inbox_id)
        if item is not None and item.delivered_at is None:
            again = await inbox.postpone(session, item)
            log.info("delivery_postponed", inbox_id=inbox_id, why=why, again=again.isoformat())
