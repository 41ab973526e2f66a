"""The API in this process, on a real database and a real Temporal, with nobody working on the queues; and the whole house
for what needs workers and simulators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from api.app import create_app
from api.http.dependencies import Services, put_services
from api.http.temporal_reach import connect_when_needed
from cli.local.postgres import EmbeddedPostgres
from core.clock import utc_now
from core.crypto import CallbackRoute, CallbackSigner, CredentialBox
from core.ids import CONNECTION, PARTNER, PAYOUT, new_id
from core.settings import Settings
from models import kinds
from models.messages.connections.daraja import DarajaSecrets, DarajaSettings
from models.messages.connections.fineract import FineractSecrets, FineractSettings
from models.tables.base import table_of
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.lending.loan_product import LoanProduct
from models.tables.platform.connection import Connection
from models.tables.platform.partner import Partner
from models.tables.platform.security import AuditEntry
from models.tables.saga.bulk_action import BulkAction
from store.database import Database
from store.lending.loan_disbursement import KIND
from store.platform import secret_addresses
from store.saga import payouts, saga_rows
from temporal.schedules import watch_id
from tests.support.databases import database_from
from tests.support.house import House, open_house
from tests.support.lender import claim_all
from tests.support.money_in import MoneyDesk
from tests.support.orders import payout_instruction, to_send
from tests.support.simulator_server import RunningSimulators

ADMIN_KEY = "kvk_testadm1_" + "a" * 43
LENDER_NAME = "Jaza Sacco"


@dataclass
class Door:
    """The application and ways to knock at it."""

    app: FastAPI
    settings: Settings
    database: Database
    client: Client
    opened: list[httpx.AsyncClient] = field(default_factory=list)
    lenders: int = 0

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.visitor(ADMIN_KEY)

    def visitor(self, key: str | None = None, *, address: str = "127.0.0.1", **headers: str) -> httpx.AsyncClient:
        """A client with this key (or none) that comes from this address."""
        given = {"Authorization": f"Bearer {key}"} if key else {}
        visitor = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(address, 40000)),
            base_url="http://kivuko.test",
            headers={**given, **headers},
        )
        self.opened.append(visitor)
        return visitor

    async def key(self, *scopes: str, partner_id: str | None = None) -> httpx.AsyncClient:
        """A client with a new key of these scopes, of a person of its own."""
        name = new_id("nam")
        body = {"name": name, "new_person": name, "scopes": list(scopes), "partner_id": partner_id}
        made = await self.admin.post("/api/v1/keys", json=body)
        assert made.status_code == 201, made.text
        return self.visitor(made.json()["key"])

    async def lender(self, name: str = LENDER_NAME, *, hook_secret: str | None = None) -> str:
        """A partner whose connections lead nowhere."""
        box = CredentialBox([key.get_secret_value() for key in self.settings.security.credential_keys])
        now, partner_id = utc_now(), new_id(PARTNER)
        self.lenders += 1  # what is outside has one owner, so each has a tenant and a short code of its own
        fineract = FineractSettings(
            base_url="http://127.0.0.1:9/fineract-provider/api",
            tenant="default" if self.lenders == 1 else f"tenant-{self.lenders}",
        )
        daraja = DarajaSettings(
            base_url="http://127.0.0.1:9",
            shortcode=str(600996 + self.lenders),
            initiator_name="kivukoapi",
            certificate_pem="none",
        )
        secrets = FineractSecrets(username="mifos", password="fineract-secret")
        keys = DarajaSecrets(consumer_key="ck", consumer_secret="daraja-secret", initiator_password="initiator-secret")
        async with self.database.transaction() as session:
            session.add(
                Partner(
                    id=partner_id, name=name, currency="KES", country="KE", timezone="Africa/Nairobi", language="en",
                    status="active", low_balance_minor=0, created_at=now, updated_at=now,
                )
            )  # fmt: skip
            await session.flush()
            rows = [
                Connection(
                    id=new_id(CONNECTION), partner_id=partner_id, provider=provider,
                    settings=plain.model_dump(mode="json"), sealed=box.seal(sealed.model_dump_json()), version=1,
                    status="ok", created_at=now, updated_at=now, **address,
                )
                for provider, plain, sealed, address in (
                    ("fineract", fineract, secrets, secret_addresses.made(box, hook_secret)),
                    ("daraja", daraja, keys, {}),
                )
            ]  # fmt: skip
            session.add_all(rows)
            await session.flush()
            await claim_all(session, rows)
            session.add(
                LoanProduct(
                    partner_id=partner_id, product_id=1, name="Boda Boda Loan", currency="KES", enabled=False,
                    min_minor=10_000, max_minor=15_000_000, daily_minor=None, above_maximum="refuse", synced_at=now,
                )
            )  # fmt: skip
        return partner_id

    async def attempt(self, partner_id: str, *, ended: str | None = None) -> CallbackRoute:
        """A payout that was sent, and the route of its callbacks. Its saga has a row, which `ended` as this, and no
        workflow."""
        leg_id, workflow_id = new_id(PAYOUT), f"loan-disbursement/{partner_id}/91"
        now = utc_now()
        row = {
            "id": new_id(KIND.id_prefix), "partner_id": partner_id, "tenant_key": partner_id, "loan_id": 91, "round": 1,
            "workflow_id": workflow_id, "source": "api", "requested_by": "test", "stage": "paying", "currency": "KES",
            "paid_minor": 0, "receipts": [], "policy": {}, "created_at": now, "updated_at": now,
        }  # fmt: skip
        instruction = payout_instruction(leg_id, partner_id, workflow_id, role=leg_id)
        async with self.database.transaction() as session:
            await session.exec(insert(table_of(Disbursement)).values(row).on_conflict_do_nothing())
            await payouts.begin(session, to_send(instruction), account="600997")
            if ended:
                await saga_rows.change(session, workflow_id, ended=True, stage=ended)
        return CallbackRoute(workflow_id, f"{leg_id}-a1")

    def callback_path(self, route: CallbackRoute, kind: str) -> str:
        signer = CallbackSigner([secret.get_secret_value() for secret in self.settings.security.callback_secrets])
        return f"/cb/{signer.sign(route)}/{kind}"

    @property
    def services(self) -> Services:
        found = self.app.state.services
        assert isinstance(found, Services)
        return found

    @asynccontextmanager
    async def without_temporal(self) -> AsyncIterator[None]:
        """While this lasts the API finds nobody at Temporal's address."""
        temporal = self.settings.temporal.model_copy(update={"port": 9})
        away = await connect_when_needed(self.settings.model_copy(update={"temporal": temporal}))
        put_services(self.app, replace(self.services, client=away))
        try:
            yield
        finally:
            put_services(self.app, replace(self.services, client=self.client))

    async def audit(self, action: str) -> list[AuditEntry]:
        async with self.database.transaction() as session:
            return list(await session.exec(select(AuditEntry).where(AuditEntry.action == action)))

    async def rows(self, table: type[Any]) -> list[Any]:
        await self.database.flush()
        async with self.database.transaction() as session:
            return list(await session.exec(select(table)))


def make_settings(settings: Settings, database_url: str) -> Settings:
    """With a first admin key, no rate limit worth the name, and short waits."""
    security = settings.security.model_copy(update={"bootstrap_admin_key": SecretStr(ADMIN_KEY)})
    return settings.model_copy(
        update={
            "security": security,
            "database": settings.database.model_copy(update={"url": database_url}),
            "api": settings.api.model_copy(update={"rate_per_minute": 1_000_000, "max_wait_seconds": 2.0}),
        }
    )


@pytest.fixture
def api_settings(settings: Settings, database_url: str) -> Settings:
    return make_settings(settings, database_url)


@asynccontextmanager
async def open_door(settings: Settings, database: Database, client: Client) -> AsyncIterator[Door]:
    app = create_app(settings, database=database, client=client)
    async with app.router.lifespan_context(app):
        opened = Door(app, settings, database, client)
        yield opened
        for visitor in opened.opened:
            await visitor.aclose()
    # Nobody worked on these; a later test's workers must not find them.
    started: list[str] = []
    async with database.transaction() as session:
        for kind in kinds.KINDS:
            started += await session.exec(select(kind.row_class.workflow_id))
        started += [f"bulk-action/{bulk_id}" for bulk_id in await session.exec(select(BulkAction.id))]
    for workflow_id in started:
        with suppress(RPCError):
            await client.get_workflow_handle(workflow_id).terminate("the test is over")


@pytest.fixture
async def door(api_settings: Settings, database: Database, temporal_env: WorkflowEnvironment) -> AsyncIterator[Door]:
    async with open_door(api_settings, database, temporal_env.client) as opened:
        yield opened


@pytest.fixture(scope="module")
async def shared_door(
    postgres_server: EmbeddedPostgres, template_database: str, temporal_env: WorkflowEnvironment
) -> AsyncIterator[Door]:
    """One door for all tests of a file that leave nothing behind."""
    with database_from(postgres_server, template_database) as url:
        database = Database(url)
        async with open_door(
            make_settings(Settings(_env_file=None, environment="test"), url), database, temporal_env.client
        ) as opened:
            yield opened
        await database.close()


@pytest.fixture
async def house(
    wired_settings: Settings, database: Database, temporal_env: WorkflowEnvironment, simulators: RunningSimulators
) -> AsyncIterator[House]:
    security = wired_settings.security.model_copy(update={"bootstrap_admin_key": SecretStr(ADMIN_KEY)})
    settings = wired_settings.model_copy(update={"security": security})
    async with open_house(settings, database, temporal_env.client, simulators) as opened:
        yield opened
        async with database.transaction() as session:
            partners = list(await session.exec(select(Partner.id)))
        for partner_id in partners:
            for provider in ("fineract", "daraja", "bank"):
                with suppress(RPCError):  # most have none
                    await opened.client.get_schedule_handle(watch_id(provider, partner_id)).delete()


@pytest.fixture
def desk(house: House) -> MoneyDesk:
    """What lenders, customers, banks and operators do with the house."""
    return MoneyDesk(house)


@pytest.fixture
async def house_admin(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """An admin at the door of the whole house, over real HTTP."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(verify=False, base_url=house.api_url, headers=headers, timeout=60) as admin:
        yield admin
