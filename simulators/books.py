"""The books of what really happened, whatever the simulators answered: the judge of every test.

A payout has `reference, amount, currency, msisdn, shortcode, receipt, at`; amounts are text in major units.
"""

from typing import Any

from fastapi import APIRouter

from simulators.world import World

PAYOUTS = "books.payouts"
LOANS = "fineract.loans"
MESSAGES = "books.messages"


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

    @router.get("/messages")
    async def messages() -> list[dict[str, Any]]:
        """Every SMS and email that was taken: `channel, gateway, to, text, subject?, reference, at`."""
        return world.documents.all(MESSAGES)

    return router
