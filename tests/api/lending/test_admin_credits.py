"""One money, one row: a person's credit and what the bank announces of it are one payment, in whatever order and spelling."""

import asyncio
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.errors import Conflict
from core.money import Money
from models.messages.saga.arrived_payments import AnnouncedPayment
from models.messages.saga.payment_pulls import PaymentsPulled, PullPayments
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.incoming_payment import IncomingPayment
from store.saga import incoming
from temporal.queues import FLOWS_QUEUE
from tests.api.conftest import Door
from tests.api.money import rich_lender
from tests.support.approving import alone
from tests.support.bank_books import told
from tests.support.house import House
from tests.support.lender import WALLET_ACCOUNT
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually


def credit(reference: str, amount: str = "2500.00") -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": "KES"}, "reference": reference, "note": "slip"}


async def say(house: House, admin: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    await alone(house.database, "wallets.credit")
    return await admin.post(f"/api/v1/partners/{house.partner_id}/wallet/credits", json=body)


async def pull(house: House) -> PaymentsPulled:
    pulled: PaymentsPulled = await house.client.execute_workflow(
        "BankStatementPull", PullPayments(partner_id=house.partner_id), id=f"bank-statement/{house.partner_id}/now",
        task_queue=FLOWS_QUEUE, result_type=PaymentsPulled,
    )  # fmt: skip
    return pulled


async def available(house: House) -> str:
    return str((await house.wallet()).available)


@pytest.mark.parametrize("spelt", [str, str.lower])
async def test_what_a_person_has_booked_is_not_credited_when_the_bank_tells_of_it(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk, spelt: Any
) -> None:
    await house.fault("bank.push", "late", options={"seconds": 1.5})
    transaction = await desk.deposit("2500.00", "school fees")
    booked = await say(house, house_admin, credit(spelt(transaction)))
    assert (booked.status_code, booked.json()["reference"]) == (201, transaction.upper()), booked.text
    await told(house, "done")

    async def both_heard() -> bool:
        (payment,) = await desk.incoming()
        return payment.announced == ["admin", "push"]

    await eventually(both_heard)
    assert (await pull(house)).recovered == 0
    assert await available(house) == "KES 3,500.00"
    assert [(row.method, row.stage) for row in await desk.top_ups()] == [("admin", "completed")]
    assert await house.cases() == []
    await desk.assert_books_agree()


async def test_what_the_bank_has_told_of_is_not_booked_by_a_person(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    top_up = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    transaction = await desk.deposit("2500.00", str(top_up.reference))
    await desk.ended(top_up)
    for reference in (transaction, transaction.lower()):
        refused = await say(house, house_admin, credit(reference))
        assert (refused.status_code, refused.json()["code"]) == (409, "reference_taken"), refused.text
    # One that waits for a person is decided there, by two.
    unnamed = await desk.deposit("700.00", "no code")
    await desk.wait_for_top_ups(2)
    waiting = await say(house, house_admin, credit(unnamed, "700.00"))
    assert (waiting.status_code, waiting.json()["code"]) == (409, "reference_taken")
    assert await available(house) == "KES 3,500.00"


async def test_another_amount_under_a_booked_transaction_is_a_case_not_a_credit(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    await house.fault("bank.push", "late", options={"seconds": 1.5})
    transaction = await desk.deposit("2500.00", "school fees")
    assert (await say(house, house_admin, credit(transaction, "25000.00"))).status_code == 201

    async def seen() -> bool:
        return await house.cases() == ["payment_contradiction"]

    await eventually(seen)
    assert await available(house) == "KES 26,000.00"


async def test_simultaneous_credits_of_one_transaction_book_once(door: Door) -> None:
    partner_id = await rich_lender(door)
    await alone(door.database, "wallets.credit")
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    answers = await asyncio.gather(
        *(door.admin.post(path, json=credit(word)) for word in ("ft26001abc", "FT26001ABC", "Ft26001aBC") for _ in "ab")
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    (row,) = await door.rows(IncomingPayment)
    assert (row.external_id, row.announced) == ("FT26001ABC", ["admin"])
    assert row.source == f"ncba/127.0.0.1:9/{row.account}"
    (top_up,) = await door.rows(TopUp)
    assert (top_up.incoming_id, top_up.credited_minor) == (row.id, 250_000)
    wallet = (await door.admin.get(f"/api/v1/partners/{partner_id}/wallet")).json()
    assert wallet["balance"]["amount"] == "2500.00"


def announced(partner_id: str, **more: Any) -> AnnouncedPayment:
    return AnnouncedPayment.model_validate(
        {"partner_id": partner_id, "provider": "daraja", "external_id": "UKL9M2T4VC", "account": "600998",
         "amount": Money.parse("10", "KES"), "reference": "91", "happened_at": utc_now(), "channel": "confirmation"} | more
    )  # fmt: skip


async def test_one_payment_on_one_account_belongs_to_one_partner(door: Door) -> None:
    """Whatever a connection says: what came in on a short code came in once."""
    mine, other = await door.lender("Mine"), await door.lender("Other")
    async with door.database.transaction() as session:
        row = await incoming.record(session, announced(mine))
        assert (await incoming.record(session, announced(mine, external_id="ukl9m2t4vc", channel="pull"))).id == row.id
    # At once, and where a prompt that names no account was heard of first.
    async with door.database.transaction() as session:
        with pytest.raises(Conflict) as at_once:
            await incoming.record(session, announced(other))
    async with door.database.transaction() as session:
        await incoming.record(session, announced(other, account="", channel="callback"))
        with pytest.raises(Conflict) as later:
            await incoming.record(session, announced(other))
    assert (at_once.value.code, later.value.code) == ("payment_elsewhere", "payment_elsewhere")


async def test_a_wallets_account_is_what_an_admin_credit_is_on(
    house: House, house_admin: httpx.AsyncClient, desk: MoneyDesk
) -> None:
    await house.fault("bank.push", "lose")
    transaction = await desk.deposit("2500.00", "school fees")
    assert (await say(house, house_admin, credit(transaction))).status_code == 201
    (payment,) = await desk.incoming()
    assert payment.account == WALLET_ACCOUNT
    await desk.assert_books_agree()
    (row,) = (await house_admin.get("/api/v1/top-ups", params={"partner_id": house.partner_id})).json()["items"]
    shown = (await house_admin.get(f"/api/v1/top-ups/{row['id']}")).json()
    assert (shown["method"], shown["payment"]["announced"]) == ("admin", ["admin"])
    events = (await house_admin.get(f"/api/v1/top-ups/{row['id']}/events")).json()["items"]
    assert [event["key"] for event in events] == ["requested", "credited"]
