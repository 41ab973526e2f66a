"""What a test or a demo may do to the simulated bank beside its own APIs; nothing of this exists at a bank."""

from typing import Any

from fastapi import APIRouter, HTTPException

from core.errors import InvalidRequest
from core.money import Money
from simulators.bank.ledger import behaviour
from simulators.bank.models import (
    CUSTOMERS,
    DELIVERIES,
    ORDERS,
    SETTINGS,
    SUBSCRIPTIONS,
    Behaviour,
    Customer,
    Deposit,
    OpenAccount,
    Subscription,
)
from simulators.bank.orders import Bank
from simulators.world import World


def control_routes(world: World, bank: Bank) -> APIRouter:
    router = APIRouter(prefix="/simulator")

    @router.post("/accounts")
    async def open_or_change_account(wanted: OpenAccount) -> dict[str, Any]:
        try:
            return bank.ledger.open(wanted)
        except InvalidRequest as error:
            raise HTTPException(422, error.detail) from None

    @router.post("/customers")
    async def set_customer(customer: Customer) -> dict[str, Any]:
        """An API customer; the answer shows no secret."""
        _known(bank, *customer.accounts, *([customer.till_lands_on] if customer.till_lands_on else []))
        world.documents.put(CUSTOMERS, customer.name, customer.model_dump())
        return {"name": customer.name, "accounts": customer.accounts}

    @router.post("/pushes")
    async def subscribe(subscription: Subscription) -> dict[str, Any]:
        _known(bank, subscription.account)
        world.documents.put(SUBSCRIPTIONS, f"{subscription.account}:{subscription.dialect}", subscription.model_dump())
        return {"account": subscription.account, "dialect": subscription.dialect, "url": subscription.url}

    @router.get("/pushes")
    async def deliveries() -> list[dict[str, Any]]:
        """Every push that was due, and what became of it: "due", "done", "lost" or "given up"."""
        shown = ("event_id", "account", "dialect", "type", "state", "attempts", "action")
        return [{name: row[name] for name in shown} for row in world.documents.all(DELIVERIES)]

    @router.post("/deposits", status_code=201)
    async def pay_in(deposit: Deposit) -> dict[str, Any]:
        bank.resume()
        account = _known(bank, deposit.account)[0]
        try:
            amount = Money.parse(deposit.amount, account["currency"])
        except InvalidRequest as error:
            raise HTTPException(422, error.detail) from None
        if amount.minor <= 0:
            raise HTTPException(422, "The amount must be above zero.")
        transaction_id = bank.deposit(
            deposit.account, amount, deposit.narration, deposit.payer_name, deposit.payer_phone
        )
        return {"bank_transaction_id": transaction_id}

    @router.get("/orders")
    async def orders() -> list[dict[str, Any]]:
        """Every instruction that was taken, and what became of it; the money that moved is in /books/bank/entries."""
        shown = ("reference", "dialect", "what", "source", "target", "state", "reason", "transaction_id")
        return [
            {**{name: order[name] for name in shown}, "amount": Money(order["minor"], order["currency"]).amount}
            for order in world.documents.all(ORDERS)
        ]

    @router.get("/behaviour")
    async def show_behaviour() -> Behaviour:
        return behaviour(world)

    @router.patch("/behaviour")
    async def change_behaviour(wanted: Behaviour) -> Behaviour:
        """Changes what the body names and leaves the rest."""
        changed = behaviour(world).model_copy(update=wanted.model_dump(exclude_unset=True))
        world.documents.put(SETTINGS, "behaviour", changed.model_dump())
        return changed

    return router


def _known(bank: Bank, *numbers: str) -> list[dict[str, Any]]:
    accounts = [bank.ledger.account(number) for number in numbers]
    if missing := [number for number, account in zip(numbers, accounts, strict=True) if account is None]:
        raise HTTPException(422, f"The bank has no account {missing[0]}.")
    return [account for account in accounts if account]
