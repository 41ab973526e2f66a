"""One simulated Daraja over real HTTP, a receiver for its callbacks, and a recorder of what the client logged."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.crypto import CallbackRoute, CallbackSigner
from core.money import Money
from core.msisdn import Msisdn
from providers.daraja.client import Daraja
from providers.daraja.requests import B2cOrder, StatusQuery
from providers.daraja.wire import CALLBACK_REPLY, DarajaCredentials
from providers.ports import Endpoint, Exchange
from simulators.books import PAYOUTS
from simulators.daraja.keys import InitiatorKey
from simulators.daraja.models import SETTINGS, Behaviour, OpenApp
from simulators.daraja.portal import open_app
from simulators.daraja.routes import routes as daraja_routes
from simulators.documents import Documents
from simulators.faults import Fault, FaultScript
from simulators.world import World
from tests.support.dialling import LOOPBACK
from tests.support.simulator_server import AppServer

GOLDEN = Path(__file__).parents[2] / "golden" / "daraja"
PASSWORD = "Initiator#Pass7"
CONSUMER_SECRET = "consumer-secret-9f31"
PHONE = Msisdn("+254712345678")
SHORTCODE = "600997"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


@dataclass
class Callback:
    path: str
    body: Any


@dataclass
class Reply:
    """What the receiver answers to a callback, and after how long."""

    body: Any
    seconds: float = 0
    status: int = 200


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
    """`requests` counts by path; `callbacks` are in order of arrival; `exchanges` is what the client recorded."""

    url: str
    world: World
    requests: Counter[str]
    callbacks: list[Callback]
    replies: dict[str, Reply] = field(default_factory=dict)  # by the first part of a callback's path
    exchanges: list[Exchange] = field(default_factory=list)
    clients: list[Daraja] = field(default_factory=list)

    def credentials(self, **changes: Any) -> DarajaCredentials:
        plain = {
            "consumer_key": "consumer-key-1",
            "consumer_secret": CONSUMER_SECRET,
            "shortcode": SHORTCODE,
            "initiator_name": "kivukoapi",
            "initiator_password": PASSWORD,
            "certificate_pem": InitiatorKey(self.world.documents).certificate_pem,
        }
        return DarajaCredentials.model_validate({**plain, **changes})

    def client(self, *, read_timeout: float = 5, base_url: str | None = None, **changes: Any) -> Daraja:
        async def record(exchange: Exchange) -> None:
            self.exchanges.append(exchange)

        endpoint = Endpoint(
            base_url or f"{self.url}/daraja", read_timeout=timedelta(seconds=read_timeout), rules=LOOPBACK
        )
        client = Daraja(endpoint, self.credentials(**changes), recorder=record)
        self.clients.append(client)
        return client

    def order(self, reference: str = "pay_01a-a1", amount: str | Money = "1250", **changes: Any) -> B2cOrder:
        order = B2cOrder(
            reference=reference,
            msisdn=PHONE,
            amount=amount if isinstance(amount, Money) else Money.parse(amount, "KES"),
            remarks="payout 5512",
            result_url=self.callback_url("out", reference),
            timeout_url=self.callback_url("late", reference),
        )
        return replace(order, **changes)

    def inquiry(self, reference: str = "pay_01a-a1", provider_reference: str | None = None) -> StatusQuery:
        urls = self.callback_url("status", reference), self.callback_url("statuslate", reference)
        return StatusQuery(reference, *urls, provider_reference=provider_reference)

    def callback_url(self, kind: str, reference: str) -> str:
        token = CallbackSigner(["secret"]).sign(CallbackRoute("loan-disbursement/prt_1/91", reference))
        return f"{self.url}/cb/{kind}/{token}"

    def fault(self, operation: str, action: str, *, times: int = 1, **options: Any) -> None:
        script = FaultScript(faults=[Fault(operation=operation, action=action, times=times, options=options)])
        self.world.faults.add(script)

    def paid(self) -> list[dict[str, Any]]:
        """What really moved."""
        return self.world.documents.all(PAYOUTS)

    def sent(self, version: str = "v3") -> int:
        """How many payout requests reached the simulator."""
        return self.requests[f"/daraja/mpesa/b2c/{version}/paymentrequest"]

    def minted(self) -> int:
        return self.requests["/daraja/oauth/v1/generate"]

    async def until(self, condition: Callable[[], bool], seconds: float = 3) -> None:
        end = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < end, "it did not happen in time"
            await asyncio.sleep(0.01)

    async def received(self, count: int = 1) -> list[Callback]:
        """The first `count` callbacks, once they have come."""
        await self.until(lambda: len(self.callbacks) >= count)
        return self.callbacks[:count]

    async def close(self) -> None:
        for client in self.clients:
            await client.close()


@contextmanager
def daraja_bench(server: AppServer, documents: Documents | None = None, **app_changes: Any) -> Iterator[Bench]:
    """The simulator with one app opened, answering fast. Give `documents` to keep the world between two benches."""
    world = World(documents=documents or Documents())
    if world.documents.get(SETTINGS, "behaviour") is None:
        fast = Behaviour(execution_delay_seconds=0.03, answer_delay_seconds=0.02)
        world.documents.put(SETTINGS, "behaviour", fast.model_dump())
    callbacks: list[Callback] = []
    requests: Counter[str] = Counter()
    replies: dict[str, Reply] = {}
    app = FastAPI()
    app.include_router(daraja_routes(world), prefix="/daraja")
    app.add_middleware(_Counting, counter=requests)

    @app.post("/cb/{rest:path}")
    async def receive(request: Request, rest: str) -> JSONResponse:
        callbacks.append(Callback(rest, await request.json()))
        reply = replies.get(rest.split("/")[0], Reply(CALLBACK_REPLY))
        await asyncio.sleep(reply.seconds)
        return JSONResponse(reply.body, reply.status)

    opened = {
        "consumer_key": "consumer-key-1",
        "consumer_secret": CONSUMER_SECRET,
        "shortcode": SHORTCODE,
        "initiator_name": "kivukoapi",
        "initiator_password": PASSWORD,
    }
    open_app(world, OpenApp.model_validate({**opened, **app_changes}))
    with server.serving(app):
        try:
            yield Bench(server.url, world, requests, callbacks, replies)
        finally:
            closing = asyncio.run_coroutine_threadsafe(_stop(world), server._loop)  # type: ignore[arg-type]
            closing.result(5)


async def _stop(world: World) -> None:
    """As World.close, but the documents stay open for a next life of the same world."""
    for task in list(world.tasks):
        task.cancel()
    await asyncio.gather(*world.tasks, return_exceptions=True)
    await world.http.aclose()
