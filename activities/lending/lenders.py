"""What a disbursement must know of its lender before it reads the loan. A batch of loans of one lender reads it once, not a
transaction for each; what was read a moment ago is compared with the rows where the charges are held."""

import time
from dataclasses import dataclass, field
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.clients.connections import Connections
from core.errors import Busy
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.lending.loan_product import LoanProduct
from models.tables.platform.partner import Partner
from providers.fineract.client import Fineract
from store.database import Database
from store.lending import loan_products
from store.platform import partners

_KEPT_FOR: Final = 3.0  # seconds


@dataclass(frozen=True, slots=True)
class Lender:
    """`early`: the products whose loans may go before the day on which they are expected."""

    partner: Partner
    fineract: Fineract
    early: frozenset[int]


@dataclass(frozen=True)
class Lenders:
    """The lenders that one worker process read lately."""

    database: Database
    connections: Connections
    _read: dict[str, tuple[float, Lender]] = field(default_factory=dict)

    async def of(self, partner_id: str, disbursement_id: str) -> Lender:
        """As it was some seconds ago at most. Raises NotFound, NotAllowed (suspended before the saga did anything), Busy
        (connection_unproven)."""
        at, lender = self._read.get(partner_id, (0.0, None))
        if lender is not None and time.monotonic() < at + _KEPT_FOR and self._still_open(lender):
            return lender
        async with self.database.transaction() as session:
            row = await session.get(Disbursement, disbursement_id)
            partner = await partners.at_step(session, partner_id, row.stage if row else "requested")
            fineract = await self.connections.fineract(session, partner_id)
            early = frozenset(
                row.product_id for row in await loan_products.of_partner(session, partner_id) if row.may_go_early
            )
        lender = Lender(partner, fineract, early)
        self._read[partner_id] = (time.monotonic(), lender)
        return lender

    def _still_open(self, lender: Lender) -> bool:
        return self.connections.is_open(lender.partner.id, "fineract", lender.fineract)

    async def unchanged(
        self, session: AsyncSession, lender: Lender, stage: str, product: LoanProduct | None
    ) -> Partner:
        """The partner as it is now, of a saga at this stage. Raises as `of`, and Busy (lender_changed) if the loan was read
        by a connection, or judged by a product, that has changed since."""
        partner = await partners.at_step(session, lender.partner.id, stage)
        same_server = await self.connections.fineract(session, partner.id) is lender.fineract
        if not same_server or (product and product.may_go_early != (product.product_id in lender.early)):
            self._read.pop(partner.id, None)
            raise Busy("The lender's settings changed while the loan was read.", code="lender_changed")
        return partner
