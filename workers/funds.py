"""Grants money to the sagas that wait for it, and tells them: stored first, then told.

Wherever money comes from (a top-up, a person's credit, the hold of a payment that failed), the wallet then has more than the
least that anybody in its line asks for, and the next look sees it. A saga that was granted something and does not go on hears
of it again; it also looks by itself from time to time.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.service import RPCError

from activities.saga.funds import grant
from core.money import Money
from ledger import chart
from ledger.balances import balance
from store.database import Database
from store.platform import partners
from store.saga import funds_waits

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the lines are looked at, and how many sagas are woken at once: those behind them would only make the
    first ones' steps wait in the same queues."""

    idle: timedelta = timedelta(milliseconds=500)
    busy: timedelta = timedelta(milliseconds=100)  # while sagas are being woken
    at_once: int = 5


class FundsLine:
    """One per worker process that runs sagas; any number may run."""

    def __init__(self, database: Database, client: Client, *, pace: Pace = Pace()) -> None:
        self._database, self._client, self._pace = database, client, pace

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                busy = await self.turn()
            except SQLAlchemyError as error:
                log.warning("funds_line_stopped_short", error=type(error).__name__)
                busy = False
            except Exception:
                log.exception("funds_line_failed")  # a bug here must not end the process with all its sagas
                busy = False
            await asyncio.sleep((self._pace.busy if busy else self._pace.idle).total_seconds())

    async def turn(self) -> bool:
        """Grants what can be granted, then tells those whose turn it is. Whether there is more to do soon."""
        async with self._database.transaction() as session:
            lines = await funds_waits.least_needed(session)
            waking = await funds_waits.any_granted(session)
        granted = [await self._grant_alone(partner_id, least) for _, partner_id, least in lines]
        if not waking and not any(granted):
            return False
        async with self._database.transaction() as session:
            due = await funds_waits.due_to_hear(session, at_once=self._pace.at_once)
        await asyncio.gather(*(self._tell(workflow_id) for workflow_id in due))
        return True

    async def _grant_alone(self, partner_id: str, least_minor: int) -> int:
        """One partner's trouble, whatever it is, holds up no other's line, and is not silent."""
        try:
            return await self._grant(partner_id, least_minor)
        except Exception as error:
            log.error("funds_not_granted", partner_id=partner_id, error=type(error).__name__)
            return 0

    async def _grant(self, partner_id: str, least_minor: int) -> int:
        async with self._database.transaction() as session:
            partner = await partners.get(session, partner_id)
            wallet = await balance(session, chart.partner_wallet(partner_id, partner.currency))
            if wallet.available < Money(least_minor, partner.currency):
                return 0
            return await grant(session, partner_id, partner.currency)

    async def _tell(self, workflow_id: str) -> None:
        try:
            await self._client.get_workflow_handle(workflow_id).signal("wallet_credited")
        except RPCError as error:
            log.warning("waiting_saga_not_told", workflow_id=workflow_id, status=error.status.name)
