"""Finds approved loans and starts one saga for each."""

import asyncio
from dataclasses import dataclass

from temporalio import activity
from temporalio.client import Client

from activities.clients.connections import Connections
from core.clock import utc_now
from core.errors import Conflict, NotFound
from inbound.lending.loan_disbursement import start_disbursement
from models.messages.lending.loan_disbursement import Source
from models.messages.lending.loan_watch import (
    LoanHint,
    LoanLookedAt,
    LoansWatched,
    ProductsSynced,
    SyncProducts,
    WatchLoans,
)
from models.tables.lending.loan_disbursement import UNPAID_ENDS
from models.tables.lending.loan_product import LoanProduct
from providers.ports import UnreadableRow
from store import pulse
from store.database import Database
from store.lending import loan_disbursement, loan_products
from store.platform import partners
from store.saga import cases

_STARTS_AT_ONCE = 10


@dataclass(frozen=True)
class LoanWatching:
    """Runs on Fineract's queue."""

    database: Database
    connections: Connections
    client: Client

    @activity.defn(name="loans.watch")
    async def watch(self, order: WatchLoans) -> LoansWatched:
        """One poll: lists what awaits disbursal and starts what is enabled and not yet known. Repeating it is harmless."""
        async with self.database.transaction() as session:
            await partners.active(session, order.partner_id)
            fineract = await self.connections.fineract(session, order.partner_id)
            enabled = {p.product_id: p.enabled for p in await loan_products.of_partner(session, order.partner_id)}
        listed = await fineract.approved_loans()
        loans = listed.loans
        await self._tell_of_unreadable(order.partner_id, listed.unreadable)
        wanted = [loan for loan in loans if enabled.get(loan.product_id)]
        async with self.database.transaction() as session:
            await pulse.watched(session, "fineract", order.partner_id)
            known = await loan_disbursement.known_loans(session, order.partner_id, [loan.loan_id for loan in wanted])
        new = [loan for loan in wanted if known.get(loan.loan_id, "requested") in ("requested", *UNPAID_ENDS)]
        limit = asyncio.Semaphore(_STARTS_AT_ONCE)

        async def start(loan_id: int) -> bool:
            async with limit:
                return await self._start(order.partner_id, loan_id, "poll", "loan-watch")

        results = await asyncio.gather(*(start(loan.loan_id) for loan in new))
        return LoansWatched(
            unreadable=len(listed.unreadable),
            seen=len(loans),
            started=sum(results),
            already_known=len(wanted) - sum(results),
            not_enabled=sum(1 for loan in loans if enabled.get(loan.product_id) is False),
            product_unknown=sum(1 for loan in loans if loan.product_id not in enabled),
        )

    @activity.defn(name="loans.look")
    async def look(self, hint: LoanHint) -> LoanLookedAt:
        """What the poll does, for the one loan that a hook told of: nothing is claimed for a loan that is not there, is not
        approved, or is of a product that is not enabled."""
        async with self.database.transaction() as session:
            await partners.active(session, hint.partner_id)
            fineract = await self.connections.fineract(session, hint.partner_id)
            enabled = {p.product_id: p.enabled for p in await loan_products.of_partner(session, hint.partner_id)}
        try:
            loan = await fineract.loan(hint.loan_id)
        except NotFound:
            return LoanLookedAt(started=False, why="no such loan")
        if not loan.awaiting_disbursal:
            return LoanLookedAt(started=False, why="not approved")
        if not enabled.get(loan.product_id):
            return LoanLookedAt(started=False, why="product not enabled")
        started = await self._start(hint.partner_id, hint.loan_id, "hook", "fineract-hook")
        return LoanLookedAt(started=started, why="" if started else "known")

    async def _start(self, partner_id: str, loan_id: int, source: Source, requested_by: str) -> bool:
        """Whether this made the loan's disbursement."""
        try:
            started = await start_disbursement(
                self.client,
                self.database,
                partner_id=partner_id,
                loan_id=loan_id,
                source=source,
                requested_by=requested_by,
            )
        except Conflict:  # ended unpaid for a reason that a person must look at
            return False
        return started.created

    async def _tell_of_unreadable(self, partner_id: str, rows: list[UnreadableRow]) -> None:
        """A case for each loan that cannot be read, once per loan and content."""
        async with self.database.transaction() as session:
            for row in rows:
                key = f"loan_unreadable:{partner_id}:{row.row_id or '-'}:{row.digest[:16]}"
                if await cases.was_opened(session, key):
                    continue
                named = "without an id" if row.row_id is None else str(row.row_id)
                await cases.open_case(
                    session,
                    key=key,
                    kind="loan_unreadable",
                    summary=f"Loan {named} cannot be read: {row.why}"[:500],
                    evidence={"loan_id": named, "why": row.why, "content": row.digest[:16]},
                    partner_id=partner_id,
                )

    @activity.defn(name="loans.sync_products")
    async def sync_products(self, order: SyncProducts) -> ProductsSynced:
        """Fetches the partner's loan products; new ones come disabled, known ones keep their limits."""
        async with self.database.transaction() as session:
            fineract = await self.connections.fineract(session, order.partner_id)
        found = await fineract.products()
        new = 0
        async with self.database.transaction() as session:
            for product in found:
                row = await loan_products.get(session, order.partner_id, product.product_id)
                if row is None:
                    new += 1
                    row = LoanProduct(
                        partner_id=order.partner_id,
                        product_id=product.product_id,
                        name=product.name,
                        currency=product.currency,
                        enabled=False,
                        min_minor=product.min_principal.minor if product.min_principal else 0,
                        max_minor=product.max_principal.minor if product.max_principal else 25_000_000,
                        daily_minor=None,
                        above_maximum="refuse",
                        synced_at=utc_now(),
                    )
                row.name, row.currency, row.synced_at = product.name, product.currency, utc_now()
                if not product.active:
                    row.enabled = False
                session.add(row)
        return ProductsSynced(found=len(found), new=new)
