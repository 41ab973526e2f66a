"""The books of what really happened, whatever the simulators answered: the judge of every test.

A payout has `reference, amount, currency, msisdn, shortcode, receipt, at`; amounts are text in major units.
"""

from typing import Any

from fastapi import APIRouter

from simulators.bank.ledger import accounts_of, entries_of
from simulators.world import World

PAYOUTS = "books.payouts"
LOANS = "fineract.loans"
SAVINGS = "fineract.savings"
MESSAGES = "books.messages"
COLLECTIONS = "books.collections"
ODDITIES = "books.daraja_oddities"


def books_routes(world: World) -> APIRouter:
    router = APIRouter()

    @router.get("/payouts")
    async def payouts() -> list[dict[str, Any]]:
        """Every payout that moved money, in order."""
        return world.documents.all(PAYOUTS)

    @router.get("/loans")
    async def loans() -> list[dict[str, Any]]:
        """Every loan as the simulated Fineract has it, with all its transactions."""
        return world.documents.all(LOANS)

    @router.get("/savings")
    async def savings() -> list[dict[str, Any]]:
        """Every savings account as the simulated Fineract has it, with its balance and all its transactions."""
        return world.documents.all(SAVINGS)

    @router.get("/messages")
    async def messages() -> list[dict[str, Any]]:
        """Every SMS and email that was taken: `channel, gateway, to, text, subject?, reference, at`."""
        return world.documents.all(MESSAGES)

    @router.get("/collections")
    async def collections() -> list[dict[str, Any]]:
        """Every payment by a customer to a short code: `receipt, amount, currency, msisdn, shortcode, reference, channel
        ("stk" or "paybill"), at, reversed`."""
        return world.documents.all(COLLECTIONS)

    @router.get("/daraja-oddities")
    async def daraja_oddities() -> list[dict[str, Any]]:
        """What strict Daraja apps sent that the gateway takes although no page says so: `consumer_key, operation, what,
        at`, in order."""
        return world.documents.all(ODDITIES)

    @router.get("/bank/accounts")
    async def bank_accounts() -> list[dict[str, Any]]:
        """Every account of the bank's books, outer ones (`float:mpesa:600999`, `outside`) too: `number, name, currency,
        balance`. The balances add up to 0."""
        return accounts_of(world.documents)

    @router.get("/bank/entries")
    async def bank_entries() -> list[dict[str, Any]]:
        """Both entries of every movement, in order: `bank_transaction_id, account, direction, amount, currency,
        narration, reference, kind, other, name, at`."""
        return entries_of(world.documents)

    return router
