"""A11: a payment that Fineract recorded leads to one confirmation SMS, and never to a posting."""

from typing import Any

import pytest
from sqlmodel import select

from core.clock import local_date, utc_now
from models.tables.platform.traffic import Notification
from store.platform import partners
from tests.support.addresses import secret_of
from tests.support.customers import booked, customer_texts, sweep, until_texts
from tests.support.house import House, door_without_temporal
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

ZONE = "Africa/Nairobi"  # where the lender's day begins


async def hook_path(house: House) -> str:
    async with house.database.transaction() as session:
        return (
            f"/cb/hooks/{secret_of(house.settings, await partners.connection(session, house.partner_id, 'fineract'))}/"
        )


@pytest.fixture(autouse=True)
async def hooked(house: House) -> None:
    """Fineract tells us of every repayment and deposit."""
    hook = {
        "name": "Web", "isActive": True, "displayName": "kivuko",
        "events": [
            {"entityName": "LOAN", "actionName": "REPAYMENT"}, {"entityName": "SAVINGSACCOUNT", "actionName": "DEPOSIT"},
        ],
        "config": {"Payload URL": house.api_url + await hook_path(house), "Content Type": "json"},
    }  # fmt: skip
    await house.fineract("/hooks", "make", hook)


async def at_the_counter(house: House, account: dict[str, Any], amount: str, **more: Any) -> int:
    """A clerk takes cash; the id of Fineract's transaction."""
    path, command = (
        (f"/loans/{account['id']}", "repayment") if "principal" in account else
        (f"/savingsaccounts/{account['id']}", "deposit")
    )  # fmt: skip
    body = {
        "transactionDate": f"{local_date(utc_now(), ZONE)}", "transactionAmount": amount, "dateFormat": "yyyy-MM-dd",
        "locale": "en", "paymentTypeId": 1, **more,
    }  # fmt: skip
    return int((await house.fineract(f"{path}/transactions", command, body))["resourceId"])


async def settled(house: House, workflow_id: str) -> None:
    """Returns once the notice has been thought over."""

    async def done() -> bool:
        found = [one async for one in house.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
        return any(one.close_time is not None for one in found)

    await eventually(done)


def notice(house: House, account: dict[str, Any], transaction: int) -> str:
    kind = "loan" if "principal" in account else "savings"
    return f"payment-notice/{house.partner_id}/{kind}/{account['id']}/{transaction}"


@pytest.mark.parametrize("times", [1, 2])
async def test_a_cash_repayment_by_staff_is_told_to_the_customer_once(
    house: House, desk: MoneyDesk, times: int
) -> None:
    if times == 2:
        await house.fault("fineract.hook", "duplicate")
    loan = await desk.loan("5000.00")
    transaction = await at_the_counter(house, loan, "900", receiptNumber="CASH-7")
    (text,) = await until_texts(house, 1)
    for words in ("KES 900.00", loan["accountNo"], "CASH-7", "Still to pay: KES 4,100.00"):
        assert words in text
    await settled(house, notice(house, loan, transaction))
    assert await booked(desk, loan) == [("900.00", "CASH-7")]  # theirs, and nothing of ours
    assert await desk.collections() == []
    assert len(await told(house)) == 1


async def test_a_cash_deposit_is_told_with_the_balance(house: House, desk: MoneyDesk) -> None:
    account = await desk.savings(balance="100.00")
    await at_the_counter(house, account, "900")
    (text,) = await until_texts(house, 1, phone="254722000111")
    assert "savings account" in text
    assert "Balance: KES 1,000.00" in text
    assert await desk.collections() == []


@pytest.mark.parametrize("action", [None, "duplicate", "late"])
async def test_our_own_posting_is_told_by_its_saga_alone(house: House, desk: MoneyDesk, action: str | None) -> None:
    if action:
        await house.fault("fineract.hook", action)
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    row = await desk.of_receipt(paid["receipt"])
    (transaction,) = [one["transaction_id"] for one in row.allocations]
    await settled(house, notice(house, loan, transaction))
    await until_texts(house, 1)
    assert len(await told(house)) == 1
    assert await booked(desk, loan) == [("1500.00", paid["receipt"])]
    assert len(await desk.collections()) == 1


async def test_a_clerk_who_types_in_a_payment_before_we_hear_of_it_leads_to_one_text_and_one_posting(
    house: House, desk: MoneyDesk
) -> None:
    """The hook speaks first, then the confirmation: the saga finds the clerk's posting and tells of the same transaction."""
    await house.fault("daraja.c2b.confirmation", "late", options={"seconds": 2.5})
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    await at_the_counter(house, loan, "1500", receiptNumber=paid["receipt"])
    await until_texts(house, 1)
    row = await desk.of_receipt(paid["receipt"])
    assert row.stage == "completed"
    assert await booked(desk, loan) == [("1500.00", paid["receipt"])]
    assert len(await told(house)) == 1


async def test_what_is_no_payment_that_stands_is_told_to_nobody(house: House, desk: MoneyDesk) -> None:
    """A failed command, and one that was undone before we looked."""
    await house.fault("fineract.hook", "error_event")
    await house.fault("fineract.hook", "late", options={"seconds": 0.7})
    loan = await desk.loan("5000.00")
    await at_the_counter(house, loan, "100")
    undone = await at_the_counter(house, loan, "200")
    await house.fineract(
        f"/loans/{loan['id']}/transactions/{undone}", "undo",
        {
            "transactionDate": f"{local_date(utc_now(), ZONE)}", "transactionAmount": "0", "dateFormat": "yyyy-MM-dd",
            "locale": "en",
        },
    )  # fmt: skip
    await settled(house, notice(house, loan, undone))
    assert await told(house) == []
    assert await customer_texts(house) == []


async def test_a_payment_that_cannot_be_read_yet_is_told_later(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    await house.fault("fineract.accounts", "down", times=2, match={"kind": "loan"})
    await at_the_counter(house, loan, "900")
    await until_texts(house, 1)
    assert len(await told(house)) == 1


async def test_a_hook_that_comes_while_temporal_is_away_is_kept_and_told(house: House, desk: MoneyDesk) -> None:
    """Fineract sends it once, so what is answered must be stored."""
    await house.fault("fineract.hook", "lose")
    loan = await desk.loan("5000.00")
    transaction = await at_the_counter(house, loan, "900")
    event = {
        "entityName": "LOAN", "actionName": "REPAYMENT",
        "response": {"loanId": loan["id"], "resourceId": transaction},
    }  # fmt: skip
    async with door_without_temporal(house) as fineract:
        answers = [await fineract.post(await hook_path(house), json=event) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await house.undelivered() == [1]
    assert await told(house) == []
    await sweep(house)
    await until_texts(house, 1)
    assert len(await told(house)) == 1


async def told(house: House) -> list[Notification]:
    """Every confirmation to a customer in the outbox, sent or not."""
    async with house.database.transaction() as session:
        query = select(Notification).where(Notification.event == "payment_received")
        return [one for one in await session.exec(query) if one.key.endswith(":client:sms")]
