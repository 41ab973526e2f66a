"""What the tests of money coming in, top-ups and float purchases do with a whole house."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from core.clock import utc_now
from core.crypto import CodeHasher
from core.ids import new_id
from core.money import Money
from core.msisdn import Msisdn
from ledger import chart
from ledger.balances import balance
from ledger.invariants import violations
from models.messages.base import Message
from models.messages.lending.float_purchase import CodeConfirmed, code_content
from models.messages.saga.decisions import CommandTaken, RetryNow
from models.messages.saga.policies import CollectionPolicy, FloatPolicy, PayoutPolicy, PromptPolicy, TopUpPolicy
from models.messages.saga.status import SagaStatus
from models.tables.lending.customer_collection import Collection
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.saga_row import SagaRow
from store.lending import customer_collection, float_purchase, wallet_top_up
from store.saga import one_time_codes, timeline
from temporal.starts import start_row
from tests.support.deciding import decide_in_time
from tests.support.house import PHONE, House
from tests.support.lender import B2C_ACCOUNT, SHORTCODE, WALLET_ACCOUNT
from tests.support.waiting import eventually

R = TypeVar("R", Collection, TopUp, FloatPurchase)


def _seconds(*steps: float) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=step) for step in steps)


QUICK_PROMPT = PromptPolicy(
    resend_after=_seconds(0.2, 0.5),
    query_after=_seconds(1.5, 0.5, 0.5),
    evidence_within=timedelta(seconds=2),
    send_within=timedelta(seconds=4),
    settlement_window=timedelta(seconds=0.2),
)
QUICK_COLLECTION = CollectionPolicy(
    prompt=QUICK_PROMPT,
    read_again_every=timedelta(seconds=0.5),
    identify_for=timedelta(seconds=3),
    post_for=timedelta(seconds=3),
    post_again_every=timedelta(seconds=1),
)
QUICK_TOP_UP = TopUpPolicy(prompt=QUICK_PROMPT, money_within=timedelta(seconds=20))
QUICK_FLOAT = FloatPolicy(
    leg=PayoutPolicy(
        resend_after=_seconds(0.2, 0.5, 1),
        query_after=_seconds(1.5, 0.5, 1),
        answer_within=timedelta(seconds=2),
        attempt_again_after=(),
        confirm_from_minor=None,
        send_within=timedelta(seconds=4),
        settlement_window=timedelta(seconds=0.2),
        case_after=timedelta(seconds=30),
    ),
    confirm_within=timedelta(seconds=30),
)


def confirmation() -> dict[str, Any]:
    """M-Pesa's announcement of a paybill payment of this moment, to be given its receipt, amount and account."""
    golden = Path(__file__).parents[1] / "golden" / "daraja" / "c2b_masked.json"
    now = utc_now().astimezone(ZoneInfo("Africa/Nairobi"))
    return dict(json.loads(golden.read_text())) | {"TransTime": f"{now:%Y%m%d%H%M%S}"}


@dataclass
class MoneyDesk:
    """Acts on a house as its lender, its customers, its bank and its operators do."""

    house: House

    # ---------------------------------------------------------------------------------------------- accounts in Fineract

    async def loan(self, outstanding: str = "5000.00", **more: Any) -> dict[str, Any]:
        client = (
            await self.house.http.post(
                "/fineract/simulator/clients", json={"displayName": "Wanjiru Achieng", "mobileNo": PHONE}
            )
        ).json()
        body = {
            "clientId": client["id"], "productId": 1, "principal": outstanding, "status": "active",
            "outstanding": outstanding, **more,
        }  # fmt: skip
        made = await self.house.http.post("/fineract/simulator/loans", json=body)
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def savings(self, **more: Any) -> dict[str, Any]:
        client = (
            await self.house.http.post(
                "/fineract/simulator/clients", json={"displayName": "Otieno Odhiambo", "mobileNo": "254722000111"}
            )
        ).json()
        made = await self.house.http.post("/fineract/simulator/savings", json={"clientId": client["id"], **more})
        assert made.status_code == 201, made.text
        return dict(made.json())

    async def repayments(self, loan: dict[str, Any]) -> list[dict[str, Any]]:
        """Repayments on a loan that count."""
        found = await self.house.loan(loan["id"])
        return [t for t in found["transactions"] if t["type"] == "repayment" and not t["reversed"]]

    async def deposits(self, account: dict[str, Any]) -> list[dict[str, Any]]:
        books = (await self.house.http.get("/books/savings")).json()
        found = next(one for one in books if one["id"] == account["id"])
        return [t for t in found["transactions"] if t["type"] == "deposit" and not t["reversed"]]

    # ------------------------------------------------------------------------------------------------- customers' money

    async def collect(
        self, amount: str, account: str, *, phone: str = PHONE, policy: CollectionPolicy = QUICK_COLLECTION
    ) -> Collection:
        return await self.start(await self.collection_row(amount, account, phone=phone), policy)

    async def collection_row(self, amount: str, account: str, *, phone: str = PHONE) -> Collection:
        """A payment to be prompted for, whose saga has not been started."""
        async with self.house.database.transaction() as session:
            return await customer_collection.begin_prompted(
                session, partner_id=self.house.partner_id, amount=Money.parse(amount, "KES"), account_ref=account,
                msisdn=Msisdn.parse(phone), requested_by="test",
            )  # fmt: skip

    async def paybill(self, amount: str, reference: str, *, phone: str = PHONE) -> dict[str, Any]:
        """A customer pays by paybill on their own; what happened."""
        body = {"shortcode": SHORTCODE, "msisdn": phone, "amount": amount, "bill_reference": reference}
        answer = await self.house.http.post("/daraja/simulator/paybill-payments", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def payer(self, does: str, *, phone: str = PHONE, **more: Any) -> None:
        answer = await self.house.http.put("/daraja/simulator/payers", json={"msisdn": phone, "does": does, **more})
        assert answer.status_code == 200, answer.text

    async def collected(self) -> list[dict[str, Any]]:
        """Every payment that M-Pesa really took in."""
        return list((await self.house.http.get("/books/collections")).json())

    async def collections(self) -> list[Collection]:
        return await self._rows(Collection)

    async def of_receipt(self, receipt: str) -> Collection:
        """The saga that booked a receipt, once it has ended."""

        async def ended() -> Collection | None:
            rows = [row for row in await self.collections() if row.receipt == receipt and row.ended_at is not None]
            return next((row for row in rows if row.stage != "merged"), None)

        return cast(Collection, await eventually(ended, 40))

    # ------------------------------------------------------------------------------------------------------ the wallet

    async def top_up(self, amount: str, *, phone: str | None = None, policy: TopUpPolicy = QUICK_TOP_UP) -> TopUp:
        return await self.start(await self.top_up_row(amount, phone=phone), policy)

    async def top_up_row(self, amount: str, *, phone: str | None = None) -> TopUp:
        """A top-up whose saga has not been started."""
        async with self.house.database.transaction() as session:
            return await wallet_top_up.begin(
                session, partner_id=self.house.partner_id, amount=Money.parse(amount, "KES"),
                msisdn=Msisdn.parse(phone) if phone else None, requested_by="test",
            )  # fmt: skip

    async def deposit(self, amount: str, narration: str, *, account: str = WALLET_ACCOUNT) -> str:
        """Somebody pays in at the bank; its transaction id."""
        body = {"account": account, "amount": amount, "narration": narration}
        answer = await self.house.http.post("/bank/simulator/deposits", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["bank_transaction_id"])

    async def top_ups(self) -> list[TopUp]:
        return await self._rows(TopUp)

    async def wait_for_top_ups(self, count: int) -> list[TopUp]:
        """The rows, once there are so many."""
        return await self._wait_for(TopUp, count)

    async def wait_for_collections(self, count: int) -> list[Collection]:
        return await self._wait_for(Collection, count)

    async def buy_float(self, amount: str = "2000.00", policy: FloatPolicy = QUICK_FLOAT) -> FloatPurchase:
        return await self.start(await self.float_row(amount), policy)

    async def float_row(self, amount: str) -> FloatPurchase:
        """A purchase whose saga has not been started."""
        money = Money.parse(amount, "KES")
        async with self.house.database.transaction() as session:
            costs = await float_purchase.price(session, self.house.partner_id, money, utc_now())
            return await float_purchase.begin(
                session, partner_id=self.house.partner_id, operator="mpesa", amount=money, costs=costs,
                requested_by="test",
            )  # fmt: skip

    async def code_of(self, row: FloatPurchase, number: int = 1) -> str:
        """The code as the SMS shows it, which names the amount."""
        amount = str(Money(row.amount_minor, row.currency))

        async def arrived() -> str | None:
            texts = [
                m["text"]
                for m in await self.house.messages()
                if m["channel"] == "sms" and "code" in m["text"].lower() and amount in m["text"]
            ]
            codes = [found.group() for text in texts if (found := re.search(r"\b\d{6}\b", text))]
            return codes[number - 1] if len(codes) >= number else None

        return cast(str, await eventually(arrived, 60))

    async def give_code(self, row: FloatPurchase, code: str) -> one_time_codes.Checked:
        """What the API does with a code."""
        content = code_content(
            Money(row.amount_minor, row.currency), Money(row.total_minor, row.currency), row.operator
        )
        secrets = [secret.get_secret_value() for secret in self.house.settings.security.callback_secrets]
        async with self.house.database.transaction() as session:
            hashes = CodeHasher(secrets).hashes(row.workflow_id, content, code)
            checked = await one_time_codes.check(session, row.workflow_id, hashes)
        if checked.verdict == "right":
            await self.house.client.get_workflow_handle(row.workflow_id).execute_update(
                "confirm",
                CodeConfirmed(number=checked.number, actor="key_partner"),
                id=f"code:{row.id}:{checked.number}",
                result_type=CommandTaken,
            )
        return checked

    async def confirm(self, row: FloatPurchase) -> None:
        checked = await self.give_code(row, await self.code_of(row))
        assert checked.verdict == "right"

    # --------------------------------------------------------------------------------------------------- seeing things

    async def row(self, row: R) -> R:
        async with self.house.database.transaction() as session:
            found = await session.get(type(row), row.id)
        assert found is not None
        return found

    async def ended(self, row: R, timeout: float = 40) -> R:
        """The row once its saga has ended; its workflow has then returned too, or does in a moment."""

        async def there() -> R | None:
            found = await self.row(row)
            return found if found.ended_at is not None else None

        return cast(R, await eventually(there, timeout))

    async def until(self, row: R, stage: str, timeout: float = 40) -> R:
        async def there() -> R | None:
            found = await self.row(row)
            return found if found.stage == stage else None

        return cast(R, await eventually(there, timeout))

    async def status(self, row: SagaRow) -> SagaStatus:
        handle = self.house.client.get_workflow_handle(row.workflow_id)
        found: SagaStatus = await handle.query("status", result_type=SagaStatus)
        return found

    async def resolve(self, row: SagaRow, decision: str, *, actor: str = "key_ann", **more: Any) -> CommandTaken:
        """`actor` names a person. Facts are as they are stored: JSON values."""
        facts = {
            name: [part.model_dump(mode="json") for part in value] if name == "allocations" else value
            for name, value in more.items()
        }
        return await decide_in_time(
            self.house.client, self.house.database, row.workflow_id, decision, by=actor, **facts
        )

    async def resolved_by_two(self, row: SagaRow, decision: str, **more: Any) -> CommandTaken:
        await self.resolve(row, decision, actor="key_ann", **more)
        return await self.resolve(row, "approve", actor="key_bob")

    async def retry(self, row: SagaRow) -> CommandTaken:
        return await self._update(row, "retry", RetryNow(actor="key_ann"))

    async def cancel(self, row: SagaRow) -> CommandTaken:
        return await self._update(row, "cancel_request", RetryNow(actor="key_ann"))

    async def timeline(self, row: SagaRow) -> list[str]:
        async with self.house.database.transaction() as session:
            return [event.key for event in await timeline.read(session, row.workflow_id)]

    async def incoming(self) -> list[IncomingPayment]:
        async with self.house.database.transaction() as session:
            return list(
                await session.exec(select(IncomingPayment).where(IncomingPayment.partner_id == self.house.partner_id))
            )

    async def bank_balances(self) -> tuple[str, str]:
        """What the bank says lies on the wallet's account and on the B2C account."""
        rows = {row["number"]: row["balance"] for row in (await self.house.http.get("/books/bank/accounts")).json()}
        return rows[WALLET_ACCOUNT], rows[B2C_ACCOUNT]

    async def booked_balances(self) -> tuple[Money, Money]:
        """What our ledger says lies there, the opening balances aside."""
        async with self.house.database.transaction() as session:
            wallet = await balance(session, chart.bank_account(WALLET_ACCOUNT, "KES"))
            b2c = await balance(session, chart.bank_account(B2C_ACCOUNT, "KES"))
        return wallet.posted, b2c.posted

    async def assert_books_agree(self, opening: str = "500000.00") -> None:
        """The ledger's invariants hold, and each account at the bank holds to the cent what the ledger says."""
        async with self.house.database.transaction() as session:
            assert [str(violation) for violation in await violations(session)] == []
        bank_wallet, bank_b2c = (Money.parse(text, "KES") for text in await self.bank_balances())
        wallet, b2c = await self.booked_balances()
        assert bank_wallet - Money.parse(opening, "KES") == wallet
        assert bank_b2c == b2c

    async def _rows(self, model: type[R]) -> list[R]:
        async with self.house.database.transaction() as session:
            query = select(model).where(model.partner_id == self.house.partner_id).order_by(col(model.id))
            return list(await session.exec(query))

    async def _wait_for(self, model: type[R], count: int) -> list[R]:
        async def there() -> list[R] | None:
            rows = await self._rows(model)
            return rows if len(rows) >= count else None

        return cast(list[R], await eventually(there, 20))

    async def start(self, row: R, policy: Message) -> R:
        """The row with this test's policy, and its saga started."""
        async with self.house.database.transaction() as session:
            found = await session.get(type(row), row.id)
            assert found is not None
            found.policy = policy.model_dump(mode="json")
            session.add(found)
        await start_row(self.house.client, self.house.database, found)
        return found

    async def _update(self, row: SagaRow, name: str, message: Message) -> CommandTaken:
        taken: CommandTaken = await self.house.client.get_workflow_handle(row.workflow_id).execute_update(
            name, message, id=new_id("cmd"), result_type=CommandTaken
        )
        return taken
