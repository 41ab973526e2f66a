"""What the tests of customers' payments do and look at, beside what the desk offers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, cast

from sqlmodel import col, select

from core.ids import new_id
from core.money import Money
from models.messages.housekeeping import Swept
from models.messages.saga.decisions import Allocation, CommandTaken
from models.messages.saga.payment_pulls import PaymentsPulled, PullPayments
from models.messages.saga.policies import CollectionPolicy
from models.tables.lending.customer_collection import Collection
from models.tables.platform.traffic import InboxItem
from store.platform import partners
from store.saga import cases
from temporal.queues import FLOWS_QUEUE
from tests.support.addresses import secret_of
from tests.support.house import PHONE, House
from tests.support.money_in import QUICK_COLLECTION, QUICK_PROMPT, MoneyDesk
from tests.support.waiting import eventually

MANY: Final = 500  # of a fault: until the test is over


def with_prompt(**changes: Any) -> CollectionPolicy:
    """The tests' usual policy with another patience about the prompt."""
    return QUICK_COLLECTION.model_copy(update={"prompt": QUICK_PROMPT.model_copy(update=changes)})


# For what ends in silence: a prompt whose payer answers at all does so within half a second.
HASTY: Final = with_prompt(
    query_after=(timedelta(seconds=0.5), timedelta(seconds=0.2), timedelta(seconds=0.2)),
    evidence_within=timedelta(seconds=0.3),
)


def kes(amount: str) -> Money:
    return Money.parse(amount, "KES")


async def prompts(desk: MoneyDesk) -> list[dict[str, Any]]:
    """Every prompt that reached a payer's phone, or would have."""
    return list((await desk.house.http.get("/daraja/simulator/prompts")).json())


async def behave(house: House, **rules: Any) -> None:
    """How the simulated M-Pesa behaves from now on."""
    answer = await house.http.patch("/daraja/simulator/behaviour", json=rules)
    assert answer.status_code == 200, answer.text


async def lose(house: House, *channels: str) -> None:
    """From now on these are lost: `callback`, `confirmation`."""
    operations = {"callback": "daraja.stk.callback", "confirmation": "daraja.c2b.confirmation"}
    for channel in channels:
        await house.fault(operations[channel], "lose", times=MANY)


async def booked(desk: MoneyDesk, account: dict[str, Any]) -> list[tuple[str, str]]:
    """Amount and receipt of everything that Fineract booked on a loan or savings account."""
    items = await (desk.repayments(account) if "principal" in account else desk.deposits(account))
    return [(item["amount"], item["receiptNumber"]) for item in items]


async def assert_booked_once(desk: MoneyDesk, row: Collection, account: dict[str, Any], amount: str) -> None:
    """M-Pesa took one payment, one prompt at most left, and Fineract booked that payment on this account once."""
    assert row.stage == "completed", (row.stage, row.reason_code, row.reason)
    (taken,) = await desk.collected()
    assert taken["amount"] == amount
    assert row.receipt == taken["receipt"]
    assert await booked(desk, account) == [(amount, taken["receipt"])]
    assert len(await prompts(desk)) <= 1
    (payment,) = await desk.incoming()
    assert payment.claimed_by == row.workflow_id


async def assert_nothing_booked(desk: MoneyDesk, account: dict[str, Any]) -> None:
    assert await booked(desk, account) == []
    assert await desk.incoming() == []


async def own_saga(desk: MoneyDesk, receipt: str) -> Collection:
    """The saga that a payment started for itself, once it has ended."""
    row = await desk.of_receipt(receipt)
    assert row.channel == "paybill", row
    return row


async def pull(desk: MoneyDesk, *, until: int = 0) -> int:
    """Runs the hourly pull, again until it has recovered so many: M-Pesa's list is a second behind. How many it did."""
    recovered = 0

    async def enough() -> bool:
        nonlocal recovered
        pulled: PaymentsPulled = await desk.house.client.execute_workflow(
            "PaymentPull",
            PullPayments(partner_id=desk.house.partner_id),
            id=new_id("pull"),
            task_queue=FLOWS_QUEUE,
            result_type=PaymentsPulled,
        )
        recovered += pulled.recovered
        return recovered >= until

    await eventually(enough, 20)
    return recovered


async def sweep(house: House) -> None:
    """What the schedule does every 30 seconds, as if every delivery were due and every unstarted saga old enough."""
    async with house.database.transaction() as session:
        for item in await session.exec(select(InboxItem).where(col(InboxItem.delivered_at).is_(None))):
            item.next_attempt_at = item.received_at
            session.add(item)
        for row in await session.exec(select(Collection).where(Collection.stage == "requested")):
            row.created_at -= timedelta(minutes=1)
            session.add(row)
    await house.client.execute_workflow("Sweep", id=new_id("sweep"), task_queue=FLOWS_QUEUE, result_type=Swept)


async def waits_for(desk: MoneyDesk, row: Collection, what: str) -> None:
    """Returns once the saga waits for something whose description holds these words."""

    async def there() -> bool:
        return what in ((await desk.status(row)).waiting_for or "")

    await eventually(there)


async def until_case(house: House, *kinds: str) -> None:
    """Returns once exactly these cases are open."""

    async def there() -> bool:
        return await house.cases() == sorted(kinds)

    try:
        await eventually(there, 30)
    except AssertionError:
        assert await house.cases() == sorted(kinds)
        raise


async def case_actions(house: House, kind: str) -> list[str]:
    """What an operator is offered in the open case of this kind."""
    async with house.database.transaction() as session:
        (case,) = await cases.page(session, state="open", kind=kind)
    return list(case.actions)


async def allocate(desk: MoneyDesk, row: Collection, *parts: Allocation) -> CommandTaken:
    return await desk.resolve(row, "allocate", allocations=parts)


async def unplaced(desk: MoneyDesk, reason: str) -> Collection:
    """The one collection that waits for an operator, for this reason."""

    async def there() -> Collection | None:
        rows = [row for row in await desk.collections() if row.stage == "waiting_account"]
        return rows[0] if rows and rows[0].reason_code == reason else None

    return cast(Collection, await eventually(there))


async def customer_texts(house: House, phone: str = PHONE) -> list[str]:
    """Every SMS to a customer."""
    return [m["text"] for m in await house.messages() if m["channel"] == "sms" and m["to"].endswith(phone[-9:])]


async def until_texts(house: House, count: int, wanted: Callable[[str], bool] = bool, phone: str = PHONE) -> list[str]:
    """The texts to a customer, once there are so many of them."""

    async def there() -> list[str]:
        texts = [text for text in await customer_texts(house, phone) if wanted(text)]
        return texts if len(texts) >= count else []

    return cast(list[str], await eventually(there, 20))


async def confirm_path(desk: MoneyDesk) -> str:
    """The secret path where M-Pesa confirms paybill payments of this lender."""
    async with desk.house.database.transaction() as session:
        row = await partners.connection(session, desk.house.partner_id, "daraja")
    return f"/cb/in/{secret_of(desk.house.settings, row)}/confirm"


async def set_connection(desk: MoneyDesk, provider: str, **settings: Any) -> None:
    """Changes one of the lender's connections, as an admin would."""
    async with desk.house.database.transaction() as session:
        row = await partners.connection(session, desk.house.partner_id, provider)
        row.settings, row.version = {**row.settings, **settings}, row.version + 1
        session.add(row)
