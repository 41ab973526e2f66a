"""A lender's day against Fineract: every loan that was paid and every payment that came in is read there again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from temporalio import activity

from activities.clients.connections import Connections
from activities.lending.booking_checks import of_collection, of_disbursement
from core.clock import local_date
from core.errors import NotFound
from core.money import Money
from models.messages.reconciliation import CheckRows, Difference, RowsChecked
from models.tables.lending.customer_collection import Collection
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.saga.payout_attempt import PayoutAttempt
from providers.fineract.client import Fineract
from store.database import Database
from store.lending import reconciling
from store.platform import partners, reconciliations

_AT_ONCE: Final = 4  # reads of a lender's own server, which has other things to do

R = TypeVar("R", Disbursement, Collection)


@dataclass(frozen=True)
class Bookings:
    """Runs on Fineract's queue. Reads only, so every method may be repeated."""

    database: Database
    connections: Connections

    @activity.defn(name="reconciliation.loans")
    async def loans(self, order: CheckRows) -> RowsChecked:
        """The next disbursements of the day, and those that differed before."""
        async with self.database.transaction() as session:
            fineract = await self.connections.fineract(session, order.of.partner_id)
            rows = await reconciling.disbursements(
                session, order.of.partner_id, order.of.since, order.of.until, after=order.after, limit=order.at_most,
                also=await reconciliations.open_subjects(session, order.of.partner_id, order.part),
            )  # fmt: skip
            paid = await reconciling.paid_attempts(session, [row.workflow_id for row in rows])

        async def compare(row: Disbursement) -> list[Difference]:
            return await _disbursement(fineract, row, paid[row.workflow_id])

        return await self._compared(order, rows, compare)

    @activity.defn(name="reconciliation.payments")
    async def payments(self, order: CheckRows) -> RowsChecked:
        """The next customers' payments of the day, and those that differed before."""
        async with self.database.transaction() as session:
            fineract = await self.connections.fineract(session, order.of.partner_id)
            zone = (await partners.get(session, order.of.partner_id)).timezone
            rows = await reconciling.collections(
                session, order.of.partner_id, order.of.since, order.of.until, after=order.after, limit=order.at_most,
                also=await reconciliations.open_subjects(session, order.of.partner_id, order.part),
            )  # fmt: skip

        async def compare(row: Collection) -> list[Difference]:
            return await _collection(fineract, row, zone)

        return await self._compared(order, rows, compare)

    async def _compared(
        self, order: CheckRows, rows: Sequence[R], compare: Callable[[R], Awaitable[list[Difference]]]
    ) -> RowsChecked:
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(row: R) -> list[Difference]:
            async with limit:
                return await compare(row)

        found = [difference for several in await asyncio.gather(*map(one, rows)) for difference in several]
        async with self.database.transaction() as session:
            await reconciliations.settle(
                session, order.of.partner_id, order.part, order.of.day, found=found,
                looked_at=[row.workflow_id for row in rows],
            )  # fmt: skip
        more = rows[-1].id if len(rows) == order.at_most else None
        return RowsChecked(seen=len(rows), different=len(found), next_after=more)


async def _disbursement(fineract: Fineract, row: Disbursement, paid: Sequence[PayoutAttempt]) -> list[Difference]:
    try:
        loan = await fineract.loan(row.loan_id)
    except NotFound:
        return of_disbursement(row, paid, None)
    return of_disbursement(row, paid, loan)


async def _collection(fineract: Fineract, row: Collection, zone: str) -> list[Difference]:
    found: list[Difference] = []
    day = local_date(row.paid_at or row.created_at, zone)
    for number, part in enumerate(row.allocations, start=1):
        amount = Money(int(part["amount_minor"]), row.currency)
        try:
            recorded = await fineract.payments_about(part["kind"], int(part["account_id"]), amount, day)
        except NotFound:
            found += of_collection(row, number, part, None)
        else:
            found += of_collection(row, number, part, recorded)
    return found
