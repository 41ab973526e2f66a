"""Picks up what a crash left lying: webhooks that no saga took, claims whose saga never started; checks the books."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from core.clock import utc_now
from core.crypto import CredentialBox
from inbound.delivery import Desk, deliver
from inbound.fair_turns import FairTurns
from ledger.balances import open_holds
from ledger.invariants import violations
from ledger.rollups import roll_up
from models.messages.housekeeping import BooksChecked, Swept
from store import pulse
from store.database import Database
from store.platform import inbox
from store.saga import bulk_actions, cases, saga_rows
from temporal.bulk_starts import start_bulk_action
from temporal.starts import start_row

log = structlog.get_logger()

_AT_ONCE = 8
_OF_ONE_PARTNER = 2
_UNSTARTED_AFTER = timedelta(seconds=20)
_AT_MOST = 500
_CHECK_TIME = timedelta(minutes=4)


@dataclass(frozen=True)
class Sweeps:
    database: Database
    client: Client
    box: CredentialBox

    @activity.defn(name="sweeps.sweep")
    async def sweep(self) -> Swept:
        """Delivers due inbox items, starts claimed sagas that never started, and bulk actions that nobody runs. Harmless
        beside any other sweep."""
        async with self.database.transaction() as session:
            await pulse.ran(session, pulse.SWEEP)
            due = await inbox.due(session, limit=_AT_MOST)
            before = utc_now() - _UNSTARTED_AFTER
            unstarted = await saga_rows.unstarted(session, older_than=before, limit=_AT_MOST)
            bulk = await bulk_actions.unfinished(session, older_than=before, limit=_AT_MOST)
        turns = FairTurns(_AT_ONCE, _OF_ONE_PARTNER)
        await asyncio.gather(*(self._deliver(turns, inbox_id, partner_id) for inbox_id, partner_id in due))
        for row in unstarted:
            await start_row(self.client, self.database, row)
        for bulk_id in bulk:
            await start_bulk_action(self.client, bulk_id)
        return Swept(delivered=len(due), started=len(unstarted))

    async def _deliver(self, turns: FairTurns, inbox_id: str, partner_id: str) -> None:
        """One item that cannot be delivered holds up no other: it stays due, and is looked at again by the next sweep."""
        async with turns.turn(partner_id):
            try:
                await deliver(Desk(self.client, self.database, self.box), inbox_id)
            except Exception as error:
                log.error("delivery_failed", inbox_id=inbox_id, kind=type(error).__name__)

    @activity.defn(name="sweeps.check_books")
    async def check_books(self) -> BooksChecked:
        """Rolls the pools up, then checks the ledger's invariants and that every open hold names a living saga; each
        breach becomes a case."""
        async with self.database.transaction() as session:
            await roll_up(session)
        async with self.database.transaction() as session:
            await pulse.allow(session, _CHECK_TIME)  # the check reads every entry
            breaches = [str(violation) for violation in await violations(session)]
            holds = await open_holds(session)
            unended = await saga_rows.unended(session)
        breaches += [f"hold {hold.key} names no living saga" for hold in holds if hold.workflow_id not in unended]
        lost = {workflow_id for workflow_id in unended if not await self._runs(workflow_id)}
        async with self.database.transaction() as session:
            await pulse.ran(session, pulse.BOOKS_CHECK)
            # A saga ends its row before itself, so one that merely ended in between is ended now.
            lost &= await saga_rows.unended(session)
            breaches += [f"{workflow_id} has not ended, but no saga runs" for workflow_id in sorted(lost)]
            for breach in breaches:
                await cases.open_case(
                    session,
                    key=f"books:{breach}"[:300],
                    kind="books_do_not_balance",
                    summary=breach[:500],
                    evidence={"breach": breach},
                )
        return BooksChecked(breaches=len(breaches), open_holds=len(holds))

    async def _runs(self, workflow_id: str) -> bool:
        """Whether a saga is really there: one may have been terminated, or lost with Temporal's own database."""
        try:
            described = await self.client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return False
            raise
        return described.status == WorkflowExecutionStatus.RUNNING
