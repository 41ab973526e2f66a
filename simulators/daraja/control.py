"""What a test or a demo may do to the simulated M-Pesa beside its own API; nothing of this exists at Safaricom."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from simulators.daraja.bank import Bank
from simulators.daraja.models import APPS, CUSTOMERS, ORDERS, SETTINGS, Behaviour, Customer, OpenApp
from simulators.daraja.portal import behaviour, open_app, show_app
from simulators.world import World


def control_routes(world: World, bank: Bank) -> APIRouter:
    router = APIRouter(prefix="/simulator")

    @router.get("/certificate")
    async def certificate() -> PlainTextResponse:
        """The certificate that initiator passwords are encrypted for, in PEM."""
        return PlainTextResponse(bank.key.certificate_pem, media_type="application/x-pem-file")

    @router.post("/apps")
    async def open_or_change_app(wish: OpenApp) -> dict[str, Any]:
        return open_app(world, wish)

    @router.get("/apps")
    async def apps() -> list[dict[str, Any]]:
        return [show_app(world, app["consumer_key"]) for app in world.documents.all(APPS)]

    @router.put("/customers")
    async def set_customer(customer: Customer) -> dict[str, Any]:
        return world.documents.put(CUSTOMERS, customer.msisdn, customer.model_dump())

    @router.get("/behaviour")
    async def show_behaviour() -> Behaviour:
        return behaviour(world)

    @router.patch("/behaviour")
    async def change_behaviour(wish: Behaviour) -> Behaviour:
        """Changes what the body names and leaves the rest."""
        changed = behaviour(world).model_copy(update=wish.model_dump(exclude_unset=True))
        world.documents.put(SETTINGS, "behaviour", changed.model_dump())
        return changed

    @router.get("/orders")
    async def orders() -> list[dict[str, Any]]:
        """Every order that was queued, and what became of it; the money that moved is in /books/payouts."""
        shown = ("originator_id", "conversation_id", "version", "amount", "state", "code", "receipt", "callback")
        return [{name: order[name] for name in shown} for order in world.documents.all(ORDERS)]

    return router
