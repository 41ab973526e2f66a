"""What a test or a demo may do to the simulated M-Pesa beside its own API; nothing of this exists at Safaricom."""

from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import PlainTextResponse

from simulators.daraja.announcements import Announcements
from simulators.daraja.bank import Bank
from simulators.daraja.models import (
    APPS,
    C2B_URLS,
    CUSTOMERS,
    ORDERS,
    PAYERS,
    PROMPTS,
    SETTINGS,
    Behaviour,
    Customer,
    OpenApp,
    PaybillPayment,
    Payer,
)
from simulators.daraja.portal import behaviour, open_app, show_app
from simulators.world import World


def control_routes(world: World, bank: Bank, announcements: Announcements) -> APIRouter:
    router = APIRouter(prefix="/simulator")

    @router.get("/certificate")
    async def certificate() -> PlainTextResponse:
        """The certificate that initiator passwords are encrypted for, in PEM."""
        return PlainTextResponse(bank.key.certificate_pem, media_type="application/x-pem-file")

    @router.post("/apps")
    async def open_or_change_app(wanted: OpenApp) -> dict[str, Any]:
        return open_app(world, wanted)

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
    async def change_behaviour(wanted: Behaviour) -> Behaviour:
        """Changes what the body names and leaves the rest."""
        changed = behaviour(world).model_copy(update=wanted.model_dump(exclude_unset=True))
        world.documents.put(SETTINGS, "behaviour", changed.model_dump())
        return changed

    @router.get("/orders")
    async def orders() -> list[dict[str, Any]]:
        """Every order that was queued, and what became of it; the money that moved is in /books/payouts."""
        shown = ("originator_id", "conversation_id", "version", "amount", "state", "code", "receipt", "callback")
        return [{name: order[name] for name in shown} for order in world.documents.all(ORDERS)]

    @router.put("/payers")
    async def set_payer(payer: Payer) -> dict[str, Any]:
        """What the person with this phone does about prompts from now on."""
        return world.documents.put(PAYERS, payer.msisdn, payer.model_dump())

    @router.get("/prompts")
    async def prompts() -> list[dict[str, Any]]:
        """Every prompt that went out, and what became of it; the money that moved is in /books/collections."""
        shown = ("checkout_id", "msisdn", "amount", "state", "code", "receipt", "callback")
        return [{name: prompt[name] for name in shown} for prompt in world.documents.all(PROMPTS)]

    @router.post("/paybill-payments")
    async def pay_by_paybill(payment: PaybillPayment) -> dict[str, Any]:
        """A customer pays a short code or a till: `accepted`, `decided_by` ("validation", "response_type" where it did
        not answer in time, "nobody"), `code`, `receipt` (None if refused). The confirmation follows."""
        till = announcements.till
        if till.shortcode_of(payment.shortcode) is None:
            raise HTTPException(404, "no app with this short code or till was opened")
        if not till.is_customer(payment.msisdn):
            raise HTTPException(422, "this number belongs to nobody")
        if payment.names:
            till.rename(payment.msisdn, payment.names if isinstance(payment.names, str) else " ".join(payment.names))
        shillings = int(payment.amount.removesuffix(".00"))
        return await announcements.pay(payment.shortcode, payment.msisdn, shillings, payment.bill_reference)

    @router.get("/c2b-urls")
    async def c2b_urls() -> list[dict[str, Any]]:
        return [urls for urls in world.documents.all(C2B_URLS) if urls]

    @router.delete("/c2b-urls/{shortcode}", status_code=204)
    async def delete_c2b_urls(shortcode: str) -> None:
        """As two people may do on the portal, so that other addresses can be registered."""
        world.documents.put(C2B_URLS, shortcode, {})

    return router
