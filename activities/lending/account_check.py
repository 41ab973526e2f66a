"""Whether a customer's payment could be placed, asked before it is made."""

from dataclasses import dataclass

from temporalio import activity

from activities.clients.connections import Connections
from activities.lending.customer_collection import find_account
from core.errors import Conflict, NotFound
from models.messages.saga.payment_pulls import AccountChecked, CheckAccount
from store.database import Database
from store.lending import customer_collection


@dataclass(frozen=True)
class AccountChecks:
    database: Database
    connections: Connections

    @activity.defn(name="payments.check_account")
    async def check_account(self, order: CheckAccount) -> AccountChecked:
        """Whether a payment that names this account could be placed. An ambiguous number is known: a person decides then."""
        async with self.database.transaction() as session:
            behind = await customer_collection.account_behind(
                session, order.partner_id, order.account_ref.strip().upper()
            )
            fineract = await self.connections.fineract(session, order.partner_id)
        if behind is not None:
            return AccountChecked(known=True)
        try:
            await find_account(fineract, order.account_ref)
        except NotFound:
            return AccountChecked(known=False)
        except Conflict:
            return AccountChecked(known=True)
        return AccountChecked(known=True)
