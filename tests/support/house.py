"""A whole Kivuko for one test: API, workers, simulators, one lender with a funded wallet. Nothing is mocked.

The saga's policy is shrunk to fractions of a second; the code that runs is the code that ships.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import uvicorn
from sqlmodel import col, select
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

from api.app import create_app
from api.http.temporal_reach import connect_when_needed
from cli.local.ports import free_port
from core.crypto import CredentialBox
from core.ids import new_id
from core.money import Money
from core.settings import Settings
from inbound.lending.loan_disbursement import Started, start_disbursement
from ledger import chart
from ledger.balances import Balance, balance, open_holds
from ledger.invariants import violations
from ledger.posting import post
from ledger.transfers import Post
from models import kinds
from models.messages.lending.loan_disbursement import DisbursementResult
from models.messages.saga.decisions import CommandTaken, RetryNow
from models.messages.saga.policies import DisbursementPolicy, PayoutPolicy
from models.messages.saga.status import SagaStatus
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.traffic import InboxItem
from store.database import Database
from store.platform import partners
from store.saga import cases, saga_rows, timeline
from tests.support.deciding import decide_in_time
from tests.support.lender import make_lender
from tests.support.simulator_server import RunningSimulators
from tests.support.waiting import eventually
from workers.funds import FundsLine
from workers.gateways import Gateways
from workers.outbox import Dispatcher
from workers.wiring import WorkerSet, build_workers


def _seconds(*values: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=value) for value in values)


QUICK = DisbursementPolicy(
    payout=PayoutPolicy(
        resend_after=_seconds(0.1, 0.2, 0.3, 0.5, 1),
        query_after=_seconds(0.6, 0.6, 0.6),
        answer_within=timedelta(seconds=1),
        attempt_again_after=_seconds(0.3, 0.3),
        send_within=timedelta(seconds=4),
        settlement_window=timedelta(seconds=0.2),
        case_after=timedelta(seconds=30),
    ),
    look_for_funds_every=timedelta(seconds=60),
    read_again_every=timedelta(seconds=0.3),
    post_for=timedelta(seconds=3),
    post_again_every=timedelta(seconds=1),
)

# M-Pesa 5 (KES 101 to 1,500), 9 (to 5,000), 11 (to 20,000), processing 10, SMS 2: a loan of 12,500 costs 23.
PHONE = "254712345678"


@dataclass
class House:
    settings: Settings
    database: Database
    client: Client
    simulators: RunningSimulators
    api_url: str
    partner_id: str
    http: httpx.AsyncClient
    workers: WorkerSet | None = None
    running: list[asyncio.Task[Any]] = field(default_factory=list)
    line: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------------------- doing things

    async def approve_loan(self, principal: str = "12500.00", *, phone: str | None = PHONE, **more: Any) -> int:
        client = await self.http.post(
            "/fineract/simulator/clients", json={"displayName": "Wanjiru Achieng", "mobileNo": phone}
        )
        body = {"clientId": client.json()["id"], "productId": 1, "principal": principal, **more}
        loan = await self.http.post("/fineract/simulator/loans", json=body)
        assert loan.status_code == 201, loan.text
        return int(loan.json()["id"])

    async def start(
        self, loan_id: int, policy: DisbursementPolicy = QUICK, source: Any = "api", *, agreed: bool = False
    ) -> Started:
        """`agreed`: by a second person, for a loan that something was sent for before."""
        return await start_disbursement(
            self.client,
            self.database,
            partner_id=self.partner_id,
            loan_id=loan_id,
            source=source,
            requested_by="test",
            policy=policy,
            agreed=agreed,
        )

    async def disburse(
        self, principal: str = "12500.00", policy: DisbursementPolicy = QUICK, **loan: Any
    ) -> tuple[int, DisbursementResult]:
        loan_id = await self.approve_loan(principal, **loan)
        return loan_id, await self.result(await self.start(loan_id, policy))

    async def fault(self, operation: str, action: str, **more: Any) -> None:
        answer = await self.http.post("/faults", json={"faults": [{"operation": operation, "action": action, **more}]})
        assert answer.status_code == 201, answer.text

    async def rates(self, *rates: tuple[str, str, float], seed: int = 7, **options: Any) -> None:
        asked = [{"operation": o, "action": a, "probability": p, "options": options} for o, a, p in rates]
        answer = await self.http.post("/faults", json={"rates": asked, "seed": seed})
        assert answer.status_code == 201, answer.text

    async def fund(self, amount: str, reference: str) -> None:
        money = Money.parse(amount, "KES")
        async with self.database.transaction() as session:
            await post(
                session,
                Post(
                    f"test-credit/{self.partner_id}/{reference}",
                    debit=chart.bank_funding("KES"),
                    credit=chart.partner_wallet(self.partner_id, "KES"),
                    amount=money,
                    reason="test funding",
                ),
            )

    async def spend(self, amount: str) -> None:
        """Takes money out of the wallet, back to where it came from."""
        async with self.database.transaction() as session:
            await post(
                session,
                Post(
                    new_id("spent"),
                    debit=chart.partner_wallet(self.partner_id, "KES"),
                    credit=chart.bank_funding("KES"),
                    amount=Money.parse(amount, "KES"),
                    reason="test spending",
                ),
            )

    async def fineract(self, path: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
        """A command as a person at the lender gives it."""
        answer = await self.http.post(
            f"/fineract/v1{path}",
            params={"command": command},
            json=body,
            auth=("mifos", "password"),
            headers={"Fineract-Platform-TenantId": "default"},
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def set_language(self, language: str) -> None:
        async with self.database.transaction() as session:
            partner = await partners.get(session, self.partner_id)
            partner.language = language
            session.add(partner)
            for contact in await partners.contacts(session, self.partner_id):
                contact.language = language
                session.add(contact)

    async def patience(self, read_seconds: int) -> None:
        """How long M-Pesa and Fineract may take to answer."""
        async with self.database.transaction() as session:
            for provider in ("daraja", "fineract"):
                row = await partners.connection(session, self.partner_id, provider)
                row.settings = {**row.settings, "patience": {"read_seconds": read_seconds}}
                row.version += 1
                session.add(row)

    async def use_b2c_v1(self) -> None:
        async with self.database.transaction() as session:
            row = await partners.connection(session, self.partner_id, "daraja")
            row.settings, row.version = {**row.settings, "b2c_version": "v1"}, row.version + 1
            session.add(row)

    async def age_claims(self) -> None:
        """As if every claim had been made an hour ago."""
        async with self.database.transaction() as session:
            for kind in kinds.KINDS:
                for row in await saga_rows.page(session, kind.row_class, partner_id=self.partner_id):
                    row.created_at -= timedelta(hours=1)
                    session.add(row)

    async def retry(self, started: Started) -> None:
        await self.handle(started).execute_update(
            "retry", RetryNow(actor="key_1"), id=new_id("retry"), result_type=CommandTaken
        )

    async def resolve(self, started: Started, decision: str, *, actor: str = "key_ann", **more: Any) -> CommandTaken:
        """`actor` names a person."""
        return await decide_in_time(self.client, self.database, started.workflow_id, decision, by=actor, **more)

    async def resolved_by_two(self, started: Started, decision: str, **more: Any) -> CommandTaken:
        await self.resolve(started, decision, **more)
        return await self.resolve(started, "approve", actor="key_bob")

    async def start_workers(self, database: Database | None = None) -> None:
        """In this process; `database` is another way to the same one."""
        self.workers = build_workers(self.settings, self.client, database or self.database)
        self.running = [asyncio.create_task(worker.run()) for worker in self.workers.workers]
        self.line = asyncio.create_task(FundsLine(database or self.database, self.client).run())

    async def stop_workers(self) -> None:
        if self.workers is None:
            return
        if self.line is not None:
            self.line.cancel()
            with suppress(asyncio.CancelledError):
                await self.line
        await asyncio.gather(*(worker.shutdown() for worker in self.workers.workers))
        await asyncio.gather(*self.running, return_exceptions=True)
        await self.workers.close()
        self.workers = None

    # ----------------------------------------------------------------------------------------------- seeing things

    def handle(self, started: Started) -> WorkflowHandle[Any, DisbursementResult]:
        return self.client.get_workflow_handle(started.workflow_id, result_type=DisbursementResult)

    async def result(self, started: Started, timeout: float = 60) -> DisbursementResult:
        return await asyncio.wait_for(self.handle(started).result(), timeout)

    async def status(self, started: Started) -> SagaStatus:
        status: SagaStatus = await self.handle(started).query("status", result_type=SagaStatus)
        return status

    async def until_stage(self, started: Started, stage: str, timeout: float = 40) -> Disbursement:
        async def there() -> Disbursement | None:
            row = await self.row(started)
            return row if row.stage == stage else None

        found: Disbursement = await eventually(there, timeout)
        return found

    async def row(self, started: Started) -> Disbursement:
        async with self.database.transaction() as session:
            row = await session.get(Disbursement, started.disbursement_id)
        assert row is not None
        return row

    async def only_disbursement(self) -> Disbursement:
        """The one that there is."""
        async with self.database.transaction() as session:
            (row,) = await saga_rows.page(session, Disbursement, partner_id=self.partner_id)
        return row

    async def payouts(self) -> list[dict[str, Any]]:
        return list((await self.http.get("/books/payouts")).json())

    async def messages(self) -> list[dict[str, Any]]:
        return list((await self.http.get("/books/messages")).json())

    async def loan(self, loan_id: int) -> dict[str, Any]:
        loans = (await self.http.get("/books/loans")).json()
        return next(dict(loan) for loan in loans if loan["id"] == loan_id)

    async def postings(self, loan_id: int) -> list[dict[str, Any]]:
        """Disbursement transactions on a loan that count."""
        loan = await self.loan(loan_id)
        return [t for t in loan["transactions"] if t["type"] == "disbursement" and not t["reversed"]]

    async def wallet(self) -> Balance:
        async with self.database.transaction() as session:
            return await balance(session, chart.partner_wallet(self.partner_id, "KES"))

    async def timeline(self, started: Started) -> list[str]:
        async with self.database.transaction() as session:
            return [event.key for event in await timeline.read(session, started.workflow_id)]

    async def undelivered(self) -> list[int]:
        """For each stored webhook that no saga has taken: how often its delivery was tried."""
        await self.database.flush()  # the marks of those that were taken
        async with self.database.transaction() as session:
            return list(await session.exec(select(InboxItem.attempts).where(col(InboxItem.delivered_at).is_(None))))

    async def connection_status(self, provider: str) -> str:
        async with self.database.transaction() as session:
            return (await partners.connection(session, self.partner_id, provider)).status

    async def unblock(self, provider: str) -> None:
        """What rotating the credential does at its end."""
        async with self.database.transaction() as session:
            await partners.set_connection_status(session, self.partner_id, provider, "ok", None)

    async def cases(self, state: str = "open") -> list[str]:
        async with self.database.transaction() as session:
            return sorted(case.kind for case in await cases.page(session, state=state, limit=500))

    async def assert_books_balance(self) -> None:
        """The ledger's invariants hold, and every open hold belongs to a saga that has not ended."""
        async with self.database.transaction() as session:
            assert [str(violation) for violation in await violations(session)] == []
            living = await saga_rows.unended(session)
            assert {hold.workflow_id for hold in await open_holds(session)} <= living


@asynccontextmanager
async def open_house(
    settings: Settings,
    database: Database,
    client: Client,
    simulators: RunningSimulators,
    *,
    dialect: str = "reference",
) -> AsyncIterator[House]:
    """The house with its doors open; at the end every saga that still runs is terminated."""
    port = free_port()
    api_url = f"http://127.0.0.1:{port}"
    settings = settings.model_copy(
        update={
            "callbacks": settings.callbacks.model_copy(update={"base_url": api_url}),
            "worker": settings.worker.model_copy(
                update={"graceful_shutdown_seconds": 2.0, "calls_per_second": {"mpesa": 500.0}}
            ),
        }
    )
    app = create_app(settings, database=database, client=client)
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, ws="none")
    )
    serving = asyncio.create_task(server.serve())
    async with (
        httpx.AsyncClient(verify=False, base_url=simulators.url, timeout=20) as http,
        Gateways.open(settings, database) as gateways,
    ):
        sealer = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
        dispatching = asyncio.create_task(Dispatcher(database, gateways.sms, gateways.email, sealer=sealer).run())
        partner_id = await make_lender(settings, database, http, api_url=api_url, dialect=dialect)
        house = House(settings, database, client, simulators, api_url, partner_id, http)
        await house.fund("1000.00", "opening")
        await house.start_workers()
        await eventually(lambda: server.started)
        try:
            yield house
        finally:
            await _terminate_all(house)
            await house.stop_workers()
            dispatching.cancel()
            with suppress(asyncio.CancelledError):
                await dispatching
            server.should_exit = True
            await serving


@asynccontextmanager
async def door_without_temporal(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """The house's API as it answers while Temporal cannot be reached."""
    nowhere = house.settings.temporal.model_copy(update={"port": 9})
    away = await connect_when_needed(house.settings.model_copy(update={"temporal": nowhere}))
    app = create_app(house.settings, database=house.database, client=away)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kivuko.test") as caller,
    ):
        yield caller


async def _terminate_all(house: House) -> None:
    async with house.database.transaction() as session:
        living = await saga_rows.unended(session)
    for workflow_id in living:
        with suppress(RPCError):
            await house.client.get_workflow_handle(workflow_id).terminate("the test is over")
