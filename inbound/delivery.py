"""Reads stored messages and gives them to the sagas that they are for, and never drops one (SCARS: "the event row exists" is
not "the webhook was delivered"): an item that nobody could take now is tried again, without end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib import import_module
from typing import Final

import structlog
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from core.crypto import CredentialBox
from inbound import money_in, payout_reports, prompt_reports, reading
from models import providers
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.reports import Report
from models.tables.platform.traffic import InboxItem
from store.database import Database
from store.platform import inbox
from store.saga import cases

log = structlog.get_logger()

Giver = Callable[[Client, InboxItem, timedelta], Awaitable[str]]

RPC_TIMEOUT: Final = timedelta(seconds=5)
_TRIES_BEFORE_A_CASE: Final = 4


@dataclass(frozen=True, slots=True)
class Desk:
    """What a delivery needs."""

    client: Client
    database: Database
    box: CredentialBox
    rpc_timeout: timedelta = RPC_TIMEOUT


async def deliver(desk: Desk, inbox_id: str) -> str | None:
    """Reads and delivers one item, or postpones it; what became of it, None if nothing did. Harmless to repeat: sagas take
    each external id once."""
    async with desk.database.transaction() as session:
        item = await inbox.lock(session, inbox_id)
        if item is None or item.delivered_at is not None:
            return None
        if item.kind == inbox.UNREAD:
            await reading.read(session, desk.box, item)
            if item.delivered_at is not None:
                return item.outcome
        report = await payout_reports.told_by(session, item) if _is_payout_report(item) else None
    try:
        outcome = await _give(desk, item, report)
    except RPCError as error:
        await _postpone(desk.database, inbox_id, error.status.name)
        return None
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError):
        await _postpone(desk.database, inbox_id, "timeout")
        return None
    except Exception as error:
        # A fault of ours, which holds up no other message and is not silent.
        log.error("delivery_failed", inbox_id=inbox_id, item_kind=item.kind, kind=type(error).__name__)
        await _postpone(desk.database, inbox_id, type(error).__name__, failing=True)
        return None
    # Nobody waits for the mark: without it the sweep delivers again, and the saga gives its first answer.
    desk.database.later(partial(inbox.delivered, inbox_id=inbox_id, outcome=outcome))
    return outcome


async def _give(desk: Desk, item: InboxItem, report: Report | None) -> str:
    client, database, limit = desk.client, desk.database, desk.rpc_timeout
    own = _givers(item.provider).get(item.kind)
    if own is not None:
        return await own(client, item, limit)
    if item.kind == "payment":
        payment = AnnouncedPayment.model_validate(item.report)
        return await money_in.take_in(client, database, payment, rpc_timeout=limit)
    if item.kind == "prompt":
        prompt = Report.model_validate(item.report)
        return await prompt_reports.give(client, database, item, prompt, rpc_timeout=limit)
    assert report is not None, item.kind
    return await payout_reports.give(client, database, item, report, rpc_timeout=limit)


def _is_payout_report(item: InboxItem) -> bool:
    return item.kind not in ("payment", "prompt") and item.kind not in _givers(item.provider)


def _givers(provider: str) -> Mapping[str, Giver]:
    """To whom a provider's own kinds of messages go: `GIVERS` of `inbound/<provider>.py`."""
    module = import_module(f"inbound.{providers.named(provider).name}")
    found: Mapping[str, Giver] = getattr(module, "GIVERS", {})
    return found


async def _postpone(database: Database, inbox_id: str, why: str, *, failing: bool = False) -> None:
    async with database.transaction() as session:
        item = await inbox.get(session, inbox_id)
        if item is not None and item.delivered_at is None:
            again = await inbox.postpone(session, item)
            log.info("delivery_postponed", inbox_id=inbox_id, why=why, again=again.isoformat())
            if failing and item.attempts >= _TRIES_BEFORE_A_CASE:
                await cases.open_case(
                    session,
                    key=f"inbox:{inbox_id}",
                    kind="message_undelivered",
                    summary="A provider's message was read, and giving it to its saga fails again and again.",
                    evidence={"inbox_id": inbox_id, "item_kind": item.kind, "why": why},
                    partner_id=item.partner_id,
                    workflow_id=item.workflow_id,
                )
