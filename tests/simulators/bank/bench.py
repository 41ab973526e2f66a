"""One simulated bank over real HTTP, a receiver for its pushes, and clients of both dialects."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.clock import utc_now
from core.money import Money
from core.msisdn import Msisdn
from providers import banking
from providers.collecting import PromptOrder
from providers.ncba import wire as ncba_wire
from providers.ncba.client import Ncba
from providers.ncba.requests import NcbaCredentials
from providers.ports import Endpoint, Exchange
from providers.reference_bank import wire as reference_wire
from providers.reference_bank.client import ReferenceBank
from providers.reference_bank.requests import ReferenceBankCredentials
from simulators.bank.ledger import Ledger, accounts_of, entries_of
from simulators.bank.models import CUSTOMERS, SETTINGS, SUBSCRIPTIONS, Behaviour, Customer, Dialect, OpenAccount
from simulators.bank.ncba import REJECTION_CODES
from simulators.bank.routes import routes as bank_routes
from simulators.documents import Documents
from simulators.faults import Fault, FaultScript
from simulators.world import World
from tests.support.dialling import LOOPBACK
from tests.support.simulator_server import AppServer
from tests.support.waiting import eventually

GOLDEN = Path(__file__).parents[2] / "golden" / "bank"
WALLET = banking.BankAccount("1000200030", "KIVUKO LTD")
B2C = banking.BankAccount("1000200031", "KIVUKO B2C")
PHONE = Msisdn("+254712000111")
PASSWORD, KEY, TILL_PASSWORD, TOKEN = "Open#Banking7", "subscription-9f31", "Till#Pass8", "bearer-5ac1"
SECRETS = banking.PushSecrets(("kivuko-secret",), "kvkuser", "kvkpass")
# One reference of the form that our legs make.
REFERENCE = "pay_01j9zc3q4m0000000000000000-a1"


def transfer_order(reference: str = REFERENCE, **changes: Any) -> banking.TransferOrder:
    order = banking.TransferOrder(reference, "internal", WALLET, B2C, Money(150_000, "KES"), "float for Nakuru")
    return replace(order, **changes)


@dataclass
class Push:
    dialect: str
    raw: bytes
    headers: dict[str, str]

    def event(self) -> banking.BankEvent:
        parse: banking.PushParser = ncba_wire.parse_push if self.dialect == "ncba" else reference_wire.parse_push
        return parse(self.raw, self.headers, SECRETS, currency="KES", now=utc_now())


class _Counting:
    """Counts requests by path, before anything else sees them."""

    def __init__(self, app: ASGIApp, counter: Counter[str]) -> None:
        self.app, self.counter = app, counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.counter[scope["path"]] += 1
        await self.app(scope, receive, send)


@dataclass
class Bench:
    """`pushes` are in order of arrival; the first `to_refuse` of them are answered 500 and kept all the same."""

    url: str
    world: World
    requests: Counter[str]
    pushes: list[Push]
    refusing: Counter[str]
    exchanges: list[Exchange] = field(default_factory=list)
    clients: list[Ncba | ReferenceBank] = field(default_factory=list)

    def ncba_credentials(self, **changes: Any) -> NcbaCredentials:
        plain = {
            "user_id": "KVKOB01", "password": PASSWORD, "subscription_key": KEY,
            "till_base_url": f"{self.url}/bank/ncba", "till_username": "kvktill", "till_password": TILL_PASSWORD,
            "till_paybill": "880100", "till_account": "KVKTILL1", "rejection_codes": REJECTION_CODES,
        }  # fmt: skip
        return NcbaCredentials.model_validate({**plain, **changes})

    def ncba(self, *, read_timeout: float = 5, **changes: Any) -> Ncba:
        credentials = self.ncba_credentials(**changes)
        client = Ncba(self._endpoint("ncba", read_timeout), credentials, recorder=self._record)
        self.clients.append(client)
        return client

    def reference(self, *, read_timeout: float = 5, token: str = TOKEN) -> ReferenceBank:
        credentials = ReferenceBankCredentials(token=token)
        client = ReferenceBank(self._endpoint("reference", read_timeout), credentials, recorder=self._record)
        self.clients.append(client)
        return client

    def client(self, dialect: str, *, read_timeout: float = 5) -> Ncba | ReferenceBank:
        made = self.ncba if dialect == "ncba" else self.reference
        return made(read_timeout=read_timeout)

    def transfer(self, reference: str = REFERENCE, **changes: Any) -> banking.TransferOrder:
        return transfer_order(reference, **changes)

    def float_order(self, reference: str = REFERENCE, **changes: Any) -> banking.FloatOrder:
        order = banking.FloatOrder(
            reference, "mpesa", "600999", "KIVUKO MPESA", B2C, Money(5_000_000, "KES"), "float", PHONE
        )
        return replace(order, **changes)

    def inquiry(self, order: banking.TransferOrder | banking.FloatOrder) -> banking.Inquiry:
        what: Any = "float" if isinstance(order, banking.FloatOrder) else "transfer"
        return banking.Inquiry(order.reference, what, order.source, order.amount, utc_now())

    def prompt(self, **changes: Any) -> PromptOrder:
        order = PromptOrder("pay_x-p1", PHONE, Money(150_000, "KES"), "KVK7F3A", "top-up", "https://kivuko.example/cb")
        return replace(order, **changes)

    def fault(self, operation: str, action: str, *, times: int = 1, match: Any = None, **options: Any) -> None:
        fault = Fault(operation=operation, action=action, times=times, match=match or {}, options=options)
        self.world.faults.add(FaultScript(faults=[fault]))

    def subscribe(self, dialect: Dialect, *accounts: str) -> None:
        for account in accounts or (WALLET.number, B2C.number):
            subscription = {
                "account": account, "url": f"{self.url}/push/{dialect}", "dialect": dialect, "user": SECRETS.user,
                "password": SECRETS.password, "secret": SECRETS.secrets[0],
            }  # fmt: skip
            self.world.documents.put(SUBSCRIPTIONS, f"{account}:{dialect}", subscription)

    def behave(self, **changes: Any) -> None:
        known = self.world.documents.get(SETTINGS, "behaviour") or {}
        self.world.documents.put(SETTINGS, "behaviour", Behaviour.model_validate({**known, **changes}).model_dump())

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """As any client would, without ours."""
        async with httpx.AsyncClient(verify=False, base_url=self.url) as plain:
            return await plain.post(path, json=body, headers=headers)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(verify=False, base_url=self.url) as plain:
            return await plain.get(path, headers=headers)

    async def deposit(self, amount: str = "1500.00", narration: str = "KVK-TOPUP-7F3A", **more: Any) -> str:
        body = {"account": WALLET.number, "amount": amount, "narration": narration, **more}
        answer = await self.post("/bank/simulator/deposits", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["bank_transaction_id"])

    # What really happened.

    def balance(self, number: str) -> str:
        return next(
            (str(row["balance"]) for row in accounts_of(self.world.documents) if row["number"] == number), "0.00"
        )

    def debits(self, reference: str = REFERENCE) -> list[dict[str, Any]]:
        """Entries by which money left for this reference, reversals not among them."""
        return [
            row
            for row in entries_of(self.world.documents)
            if row["reference"] == reference and row["direction"] == "debit" and row["kind"] != "reversal"
        ]

    async def until(self, condition: Callable[[], Any]) -> None:
        await eventually(condition, 5)

    async def received(self, count: int = 1) -> list[banking.BankEvent]:
        """The events of the first `count` pushes, once they have come."""
        await self.until(lambda: len(self.pushes) >= count)
        return [push.event() for push in self.pushes[:count]]

    async def close(self) -> None:
        for client in self.clients:
            await client.close()

    def _endpoint(self, dialect: str, read_timeout: float) -> Endpoint:
        return Endpoint(f"{self.url}/bank/{dialect}", read_timeout=timedelta(seconds=read_timeout), rules=LOOPBACK)

    async def _record(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)


@contextmanager
def bank_bench(server: AppServer, documents: Documents | None = None) -> Iterator[Bench]:
    """The simulated bank, answering fast, with one customer and two funded accounts. Give `documents` to keep the world
    between two benches."""
    world = World(documents=documents or Documents())
    pushes: list[Push] = []
    requests: Counter[str] = Counter()
    refusing: Counter[str] = Counter()
    app = FastAPI()
    app.include_router(bank_routes(world), prefix="/bank")
    app.add_middleware(_Counting, counter=requests)

    @app.post("/push/{dialect}")
    async def receive(request: Request, dialect: str) -> Response:
        push = Push(dialect, await request.body(), dict(request.headers))
        pushes.append(push)
        if refusing["pushes"]:
            refusing["pushes"] -= 1
            return Response(status_code=500)
        try:
            push.event()
        except Exception:
            return Response(status_code=401)
        wire = ncba_wire if dialect == "ncba" else reference_wire
        body, media_type = wire.push_reply(True)
        return Response(body, media_type=media_type)

    if world.documents.get(SETTINGS, "behaviour") is None:
        fast = Behaviour(settle_seconds=0.03, payer_seconds=0.05, retry_scale=0.001)
        world.documents.put(SETTINGS, "behaviour", fast.model_dump())
    ledger = Ledger(world)
    for account, opening in ((WALLET, "500000.00"), (B2C, "100000.00")):
        ledger.open(OpenAccount(number=account.number, name=account.name, balance=opening))
    customer = Customer(
        name="kivuko", accounts=[WALLET.number, B2C.number], user_id="KVKOB01", password=PASSWORD,
        subscription_key=KEY, till_username="kvktill", till_password=TILL_PASSWORD, till_account="KVKTILL1",
        token=TOKEN,
    )  # fmt: skip
    world.documents.put(CUSTOMERS, customer.name, customer.model_dump())
    with server.serving(app):
        try:
            yield Bench(server.url, world, requests, pushes, refusing)
        finally:
            closing = asyncio.run_coroutine_threadsafe(_stop(world), server._loop)  # type: ignore[arg-type]
            closing.result(5)


async def _stop(world: World) -> None:
    """As World.close, but the documents stay open for a next life of the same world."""
    for task in list(world.tasks):
        task.cancel()
    await asyncio.gather(*world.tasks, return_exceptions=True)
    await world.http.aclose()
