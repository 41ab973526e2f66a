"""The dispatcher between a real database, both gateways' simulators, a mail sink and the API that takes their reports."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from activities.clients.exchange_log import ExchangeLog
from api.app import create_app
from core.clock import utc_now
from core.crypto import CredentialBox
from core.ids import PARTNER, new_id
from core.msisdn import Msisdn
from core.settings import Settings
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner
from models.tables.platform.traffic import Notification
from notices.outbox import notify_client, notify_code
from providers.africastalking.client import AfricasTalking
from providers.damza.client import Damza
from providers.sms import SmsCredentials
from providers.smtp.client import Smtp
from simulators.books import MESSAGES
from simulators.faults import Fault, FaultScript
from simulators.smtp.sink import MailSink
from simulators.world import World
from store.database import Database
from tests.providers.message_servers import endpoint, free_port, gateways, serving
from tests.support.waiting import eventually
from workers.outbox import Dispatcher, Pace, SmsSender

PHONE = "+254712000111"
CODE = "481920"
FACTS = {"amount": "KES 500.00", "receipt": "TKL91ABC23", "account_no": "000000091", "kind": "loan", "left": "",
         "client_name": "Wanjiru", "partner_name": "Jaza Sacco"}  # fmt: skip
CODE_FACTS = {"code": CODE, "amount": "KES 100.00", "total": "KES 105.00", "operator": "M-Pesa", "minutes": "10",
              "purchase_id": "flt_1"}  # fmt: skip
KEYS = SmsCredentials("kivuko", "local-demo", "KIVUKO", "panel")
WINDOW = timedelta(seconds=0.6)
QUICK = Pace(
    lease=timedelta(seconds=30),
    look_every=timedelta(milliseconds=20),
    look_urgently_every=timedelta(milliseconds=20),
    unclear_window=WINDOW,
    backoff=timedelta(milliseconds=10),
    urgent_backoff=timedelta(milliseconds=20),
)


@dataclass
class Desk:
    """`damza` and `africastalking` wait a third of a second for an answer; `nobody` is a gateway that cannot be reached."""

    settings: Settings
    database: Database
    world: World
    box: CredentialBox
    partner_id: str
    damza: Damza
    africastalking: AfricasTalking
    nobody: Damza
    email: Smtp
    gateways_url: str

    def dispatcher(self, *sms: SmsSender, pace: Pace = QUICK, box: CredentialBox | None = None) -> Dispatcher:
        return Dispatcher(
            self.database, sms or (self.damza, self.africastalking), self.email, sealer=box or self.box, pace=pace
        )

    def fault(
        self, operation: str, action: str, *, times: int = 1, match: dict[str, str] | None = None, **options: object
    ) -> None:
        fault = Fault(operation=operation, action=action, times=times, match=match or {}, options=options)
        self.world.faults.add(FaultScript(faults=[fault]))

    async def receipt(self, key: str = "one", phone: str = PHONE) -> str:
        """A payment receipt to a client; its id."""
        async with self.database.transaction() as session:
            await notify_client(
                session, "payment_received", key=key, phone=Msisdn(phone), language="en", partner_id=self.partner_id,
                workflow_id=f"collection/{key}", facts=FACTS,
            )  # fmt: skip
        return (await self.row(key=f"{key}:client:sms")).id

    async def code(
        self,
        key: str = "code",
        *,
        email: str | None = None,
        phone: str | None = PHONE,
        code: str = CODE,
        expires_at: datetime | None = None,
    ) -> None:
        contact = Contact(
            id="cnt_1", partner_id=self.partner_id, name="Grace", phone=phone, email=email, role="authorised",
            language="en",
        )  # fmt: skip
        async with self.database.transaction() as session:
            await notify_code(
                session, "float_code", key=key, contacts=[contact], partner_id=self.partner_id,
                workflow_id="float-purchase/flt_1", facts={**CODE_FACTS, "code": code}, sealer=self.box,
                expires_at=expires_at,
            )  # fmt: skip

    async def rows(self) -> list[Notification]:
        async with self.database.transaction() as session:
            return list(await session.exec(select(Notification).order_by(col(Notification.id))))

    async def row(self, **facts: Any) -> Notification:
        """The only message, or the only one with these values."""
        (found,) = [
            row for row in await self.rows() if all(getattr(row, name) == value for name, value in facts.items())
        ]
        return found

    async def age(self, back: timedelta) -> None:
        """As if every message had been sent so much earlier."""
        async with self.database.transaction() as session:
            for row in await session.exec(select(Notification)):
                assert row.sent_at is not None
                row.sent_at -= back
                session.add(row)

    @property
    def books(self) -> list[dict[str, Any]]:
        return self.world.documents.all(MESSAGES)

    @property
    def taken(self) -> Counter[str]:
        """What each gateway really took."""
        return Counter(message["gateway"] for message in self.books)

    async def until(self, *, timeout: float = 10, **facts: Any) -> Notification:
        """The only message, once it has these values."""

        async def there() -> Notification | None:
            row = await self.row()
            return row if all(getattr(row, name) == value for name, value in facts.items()) else None

        found: Notification = await eventually(there, timeout)
        return found

    async def send_until(self, dispatcher: Dispatcher, *, timeout: float = 10, **facts: Any) -> Notification:
        """Sends whatever is due until the only message has these values."""

        async def there() -> Notification | None:
            await dispatcher.send_due()
            row = await self.row()
            return row if all(getattr(row, name) == value for name, value in facts.items()) else None

        found: Notification = await eventually(there, timeout)
        return found

    @asynccontextmanager
    async def reports(self, **sms: object) -> AsyncIterator[str]:
        """While this lasts the API runs and Africa's Talking reports to it; yields the address."""
        settings = self.settings.model_copy(update={"sms": self.settings.sms.model_copy(update=sms)})
        app = create_app(settings, database=self.database)
        async with app.router.lifespan_context(app), serving(app) as api, httpx.AsyncClient(verify=False) as http:
            url = f"{api}/cb/sms/{settings.sms.report_secret.get_secret_value()}/africastalking"
            told = await http.post(f"{self.gateways_url}/africastalking/simulator/delivery-url", json={"url": url})
            assert told.status_code == 204
            yield url

    async def all_reports(self) -> None:
        """Until every report that was to come has come."""
        await eventually(lambda: not self.world.tasks)


@pytest.fixture
async def desk(settings: Settings, database: Database) -> AsyncIterator[Desk]:
    world, port = World(), free_port()
    sink = MailSink(world, "127.0.0.1", port)
    sink.start()
    box = CredentialBox([key.get_secret_value() for key in settings.security.credential_keys])
    log = ExchangeLog(database, None)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(world.close)
        stack.callback(sink.stop)
        url = await stack.enter_async_context(gateways(world))
        yield Desk(
            settings, database, world, box, await _partner(database),
            await stack.enter_async_context(Damza(endpoint(f"{url}/damza", patience=0.3), KEYS, recorder=log)),
            await stack.enter_async_context(
                AfricasTalking(endpoint(f"{url}/africastalking", patience=0.3), KEYS, recorder=log)
            ),
            await stack.enter_async_context(Damza(endpoint(f"http://127.0.0.1:{free_port()}"), KEYS, recorder=log)),
            Smtp("127.0.0.1", port, None, None, "none", "Kivuko <no-reply@kivuko.example>"),
            url,
        )  # fmt: skip


async def _partner(database: Database) -> str:
    now, partner_id = utc_now(), new_id(PARTNER)
    async with database.transaction() as session:
        session.add(
            Partner(
                id=partner_id, name="Jaza Sacco", currency="KES", country="KE", timezone="Africa/Nairobi", language="en",
                status="active", low_balance_minor=0, created_at=now,
                updated_at=now,
            )
        )  # fmt: skip
    return partner_id


def texts(books: Sequence[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in books]
