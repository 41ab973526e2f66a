"""What the tests of relays do with a whole house, and the tin's own book as their judge."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlmodel import col, select

from core.clock import utc_now
from core.crypto import CallbackRoute, CallbackSigner, CredentialBox
from core.ids import CONNECTION, new_id
from core.money import Money
from core.msisdn import Msisdn
from models.messages.connections.reach import Patience
from models.messages.connections.tin import TinSecrets, TinSettings
from models.messages.housekeeping import Swept
from models.messages.saga.decisions import CommandTaken, RetryNow
from models.messages.saga.policies import PayoutPolicy
from models.messages.saga.status import SagaStatus
from models.messages.toys.relay import RelayPolicy
from models.tables.platform.connection import Connection
from models.tables.platform.traffic import InboxItem
from models.tables.toys.relay import Relay
from store.platform import partners, secret_addresses
from store.saga import saga_rows
from store.toys import relay
from temporal.queues import FLOWS_QUEUE
from temporal.starts import start_row
from tests.support.addresses import secret_of
from tests.support.house import House
from tests.support.lender import claim_all
from tests.support.money_in import QUICK_PROMPT
from tests.support.waiting import eventually

ACCOUNT, TOKEN = "TIN-0001", "tin-token"
AMOUNT: Final = "500.00"
PAYER, RECIPIENT = "254712000001", "254733000001"


def _seconds(*steps: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=step) for step in steps)


QUICK: Final = RelayPolicy(
    prompt=QUICK_PROMPT,
    payout=PayoutPolicy(
        resend_after=_seconds(0.1, 0.2, 0.5),
        query_after=_seconds(0.6, 0.6, 0.6),
        attempt_again_after=(),
        send_within=timedelta(seconds=2),
        settlement_window=timedelta(seconds=0.2),
        case_after=timedelta(seconds=1),
    ),
    money_within=timedelta(seconds=60),
)


@dataclass
class RelayDesk:
    """Acts on a house as its people do."""

    house: House

    async def open(self) -> None:
        """The partner's account at the tin, its connection, and where the tin tells of payments."""
        house, now = self.house, utc_now()
        box = CredentialBox([key.get_secret_value() for key in house.settings.security.credential_keys])
        settings = TinSettings(
            base_url=f"{house.simulators.url}/tin", account=ACCOUNT, patience=Patience(read_seconds=1)
        )
        connection = Connection(
            id=new_id(CONNECTION), partner_id=house.partner_id, provider="tin", version=1, status="ok",
            settings=settings.model_dump(mode="json"), sealed=box.seal(TinSecrets(token=TOKEN).model_dump_json()),
            created_at=now, updated_at=now, **secret_addresses.made(box),
        )  # fmt: skip
        async with house.database.transaction() as session:
            session.add(connection)
            await session.flush()
            await claim_all(session, [connection])
        await self.announce_to(f"{house.api_url}/cb/tin/{secret_of(house.settings, connection)}/")

    async def announce_to(self, url: str) -> None:
        await self._post("/tin/simulator/accounts", number=ACCOUNT, token=TOKEN, announce_to=url)

    async def patience(self, read_seconds: int) -> None:
        """How long the tin may take to answer."""
        async with self.house.database.transaction() as session:
            row = await partners.connection(session, self.house.partner_id, "tin")
            row.settings, row.version = {**row.settings, "patience": {"read_seconds": read_seconds}}, row.version + 1
            session.add(row)

    # ------------------------------------------------------------------------------------------------- doing things

    async def row(
        self, payer: str | None = PAYER, recipient: str = RECIPIENT, policy: RelayPolicy = QUICK, amount: str = AMOUNT
    ) -> Relay:
        """A relay whose saga has not been started."""
        async with self.house.database.transaction() as session:
            return await relay.begin(
                session, partner_id=self.house.partner_id, amount=Money.parse(amount, "KES"),
                recipient=Msisdn.parse(recipient), payer=Msisdn.parse(payer) if payer else None, requested_by="test",
                policy=policy,
            )  # fmt: skip

    async def start(self, row: Relay) -> Relay:
        await start_row(self.house.client, self.house.database, row)
        return row

    async def relay(self, payer: str | None = PAYER, recipient: str = RECIPIENT, **more: Any) -> Relay:
        return await self.start(await self.row(payer, recipient, **more))

    async def pay_in(self, text: str, payer: str = PAYER, amount: str = AMOUNT) -> dict[str, Any]:
        """Somebody pays the partner's account of their own accord."""
        paid = {"phone": payer, "account": ACCOUNT, "amount": amount, "text": text}
        return dict(await self._post("/tin/simulator/payments", **paid))

    async def fault(self, operation: str, action: str, phone: str, **more: Any) -> None:
        await self.house.fault(f"tin.{operation}", action, match={"phone": phone}, **more)

    async def retry(self, row: Relay) -> None:
        await self.house.client.get_workflow_handle(row.workflow_id).execute_update(
            "retry", RetryNow(actor="key_1"), id=new_id("retry"), result_type=CommandTaken
        )

    async def tell_again(self, reference: str, state: str) -> None:
        """The tin tells the outcome of a payout once more, or another one."""
        await self._post(f"/tin/simulator/payouts/{reference}/tell", state=state)

    async def sweep(self) -> None:
        """What the schedule does every 30 seconds, as if every message were due and every unstarted relay old enough."""
        async with self.house.database.transaction() as session:
            for item in await session.exec(select(InboxItem).where(col(InboxItem.delivered_at).is_(None))):
                item.next_attempt_at = item.received_at
                session.add(item)
            for row in await session.exec(select(Relay).where(Relay.stage == "requested")):
                row.created_at -= timedelta(minutes=1)
                session.add(row)
        await self.house.client.execute_workflow("Sweep", id=new_id("sweep"), task_queue=FLOWS_QUEUE, result_type=Swept)

    def callback_path(self, row: Relay, reference: str, end: str) -> str:
        secrets = [secret.get_secret_value() for secret in self.house.settings.security.callback_secrets]
        return f"/cb/tin/{CallbackSigner(secrets).sign(CallbackRoute(row.workflow_id, reference))}/{end}"

    # ------------------------------------------------------------------------------------------------- seeing things

    async def now(self, row: Relay) -> Relay:
        async with self.house.database.transaction() as session:
            found = await session.get(Relay, row.id)
        assert found is not None
        return found

    async def until(self, row: Relay, *stages: str, timeout: float = 40) -> Relay:
        async def there() -> Relay | None:
            found = await self.now(row)
            return found if found.stage in stages else None

        found: Relay = await eventually(there, timeout)
        return found

    async def ended(self, row: Relay, timeout: float = 40) -> Relay:
        async def over() -> Relay | None:
            found = await self.now(row)
            return found if found.ended_at else None

        found: Relay = await eventually(over, timeout)
        return found

    async def rows(self) -> list[Relay]:
        async with self.house.database.transaction() as session:
            return await saga_rows.page(session, Relay, partner_id=self.house.partner_id)

    async def only(self) -> Relay:
        """The one that there is, once it has ended."""

        async def one() -> list[Relay]:
            return await self.rows()

        (row,) = await eventually(one)
        return await self.ended(row)

    async def status(self, row: Relay) -> SagaStatus:
        status: SagaStatus = await self.house.client.get_workflow_handle(row.workflow_id).query(
            "status", result_type=SagaStatus
        )
        return status

    async def movements(self, *phones: str) -> list[tuple[str, str, str]]:
        """From, to, amount of everything that moved, in order; with `phones` only where one of them is a side of it."""
        books = (await self.house.http.get("/tin/books")).json()["movements"]
        moved = [(one["from"], one["to"], one["amount"]) for one in books]
        return [one for one in moved if not phones or {*one[:2]} & {*phones}]

    async def _post(self, path: str, **body: Any) -> Any:
        answer = await self.house.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()


def passed_on(payer: str = PAYER, recipient: str = RECIPIENT, amount: str = AMOUNT) -> list[tuple[str, str, str]]:
    return [(payer, ACCOUNT, amount), (ACCOUNT, recipient, amount)]


def given_back(payer: str = PAYER, amount: str = AMOUNT) -> list[tuple[str, str, str]]:
    return [(payer, ACCOUNT, amount), (ACCOUNT, payer, amount)]
