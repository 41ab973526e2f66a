"""The simulated Daraja where money comes in: a bench with a passkey, quick payers and what tests of collecting need."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from core.money import Money
from models.messages.saga.reports import Report
from providers.collecting import PromptOrder, PromptQuery
from providers.daraja.client import Daraja
from providers.daraja.wire import ReversalOrder, parse_stk_callback
from providers.ports import Accepted
from simulators.books import COLLECTIONS
from simulators.daraja.models import SETTINGS, Behaviour
from simulators.daraja.portal import show_app
from simulators.documents import Documents
from tests.providers.daraja.bench import PHONE, SHORTCODE, Bench, Callback, daraja_bench
from tests.support.simulator_server import AppServer

PASSKEY = "passkey-of-the-short-code"
TILL = "5204871"


@dataclass
class Desk:
    bench: Bench

    def client(self, **changes: Any) -> Daraja:
        return self.bench.client(**{"passkey": PASSKEY, **changes})

    def order(self, reference: str = "col_01a-a1", amount: str | Money = "1500", **changes: Any) -> PromptOrder:
        order = PromptOrder(
            reference=reference,
            msisdn=PHONE,
            amount=amount if isinstance(amount, Money) else Money.parse(amount, "KES"),
            payer_reference="INV2231",
            description="Invoice 2231",
            callback_url=self.bench.callback_url("asked", reference),
        )
        return replace(order, **changes)

    def reversal(self, receipt: str, amount: str = "1500", **changes: Any) -> ReversalOrder:
        urls = self.bench.callback_url("back", receipt), self.bench.callback_url("backlate", receipt)
        order = ReversalOrder("rev_01a-a1", receipt, Money.parse(amount, "KES"), "paid twice", *urls)
        return replace(order, **changes)

    def inquiry(self, asked: Accepted) -> PromptQuery:
        assert asked.provider_reference is not None
        return PromptQuery("col_01a-a1", asked.provider_reference)

    def pushes(self) -> int:
        """How many pushes reached the simulator."""
        return self.bench.requests["/daraja/mpesa/stkpush/v1/processrequest"]

    def collected(self) -> list[dict[str, Any]]:
        """What really came in."""
        return self.bench.world.documents.all(COLLECTIONS)

    def prompts(self) -> list[dict[str, Any]]:
        return self.bench.world.documents.all("daraja.prompts")

    def utility(self) -> str:
        return str(show_app(self.bench.world, "consumer-key-1")["utility_balance"])

    def at(self, kind: str) -> list[Callback]:
        """The callbacks that came to addresses of one kind, in order."""
        return [callback for callback in self.bench.callbacks if callback.path.startswith(f"{kind}/")]

    async def arrived(self, kind: str, count: int = 1) -> list[Callback]:
        await self.bench.until(lambda: len(self.at(kind)) >= count)
        return self.at(kind)

    async def reports(self, count: int = 1) -> list[Report]:
        return [parse_stk_callback(callback.body) for callback in await self.arrived("asked", count)]

    def behave(self, **changes: Any) -> None:
        documents = self.bench.world.documents
        kept = Behaviour.model_validate(documents.get(SETTINGS, "behaviour") or {})
        documents.put(SETTINGS, "behaviour", kept.model_copy(update=changes).model_dump())

    async def payer(self, does: str, **changes: Any) -> None:
        body = {"msisdn": PHONE.digits, "does": does, **changes}
        await self.control("PUT", "/payers", body)

    async def pay(self, amount: str = "1500", reference: str = "INV-2231", **changes: Any) -> dict[str, Any]:
        """A customer pays by the phone's menu."""
        body = {
            "shortcode": SHORTCODE,
            "msisdn": PHONE.digits,
            "amount": amount,
            "bill_reference": reference,
            **changes,
        }
        made: dict[str, Any] = (await self.control("POST", "/paybill-payments", body)).json()
        return made

    async def register(self, response_type: Any = "Completed", **changes: Any) -> bool:
        urls = f"{self.bench.url}/cb/confirm/9f02", f"{self.bench.url}/cb/check/9f02"
        return await self.client(**changes).register_c2b(*urls, response_type)

    async def control(self, method: str, path: str, body: Any = None) -> httpx.Response:
        async with httpx.AsyncClient(verify=False, base_url=f"{self.bench.url}/daraja/simulator") as plain:
            answer = await plain.request(method, path, json=body)
            answer.raise_for_status()
            return answer


@contextmanager
def daraja_desk(server: AppServer, documents: Documents | None = None, **app_changes: Any) -> Iterator[Desk]:
    """The simulator with a passkey and a till, its payers quick and its prompts short."""
    with daraja_bench(server, documents, **{"passkey": PASSKEY, "till": TILL, **app_changes}) as bench:
        desk = Desk(bench)
        if documents is None:
            desk.behave(stk_payer_seconds=0.03, stk_prompt_seconds=0.3)
        yield desk
