"""A day is compared with everybody who knows of its money: silent while they agree, one case for each difference, which
closes when they agree again."""

from typing import Any

import pytest
from sqlmodel import select

from core.clock import local_date, utc_now
from core.ids import new_id
from core.money import Money
from ledger import chart
from ledger.posting import post
from ledger.transfers import Post, Reverse
from models.messages.reconciliation import ComparisonsStarted, DayCompared, PartChecked, ReconcileDay
from models.tables.platform.partner import Partner
from models.tables.platform.reconciliation import Reconciliation
from models.tables.saga.case import Case
from models.tables.saga.incoming_payment import IncomingPayment
from temporal.queues import FLOWS_QUEUE
from tests.support.bank_books import push
from tests.support.customers import lose, pull
from tests.support.house import House
from tests.support.lender import WALLET_ACCOUNT
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

ZONE = "Africa/Nairobi"
UNDO = {
    "transactionDate": f"{local_date(utc_now(), ZONE)}", "transactionAmount": "0", "dateFormat": "yyyy-MM-dd",
    "locale": "en",
}  # fmt: skip


async def compare(house: House) -> dict[str, PartChecked]:
    """Today, as far as it has gone."""
    compared: DayCompared = await house.client.execute_workflow(
        "DailyReconciliation",
        ReconcileDay(partner_id=house.partner_id, day=local_date(utc_now(), ZONE)),
        id=f"daily-reconciliation/{house.partner_id}/{new_id('run')}",
        task_queue=FLOWS_QUEUE,
        result_type=DayCompared,
    )
    return {part.part: part for part in compared.parts}


async def cases(house: House) -> list[tuple[str, str]]:
    """Every case that there ever was, and whether it is open."""
    async with house.database.transaction() as session:
        rows = await session.exec(select(Case).where(Case.partner_id == house.partner_id).order_by(Case.id))
        return [(row.kind, row.state) for row in rows]


async def repaid(desk: MoneyDesk, amount: str = "1500.00") -> tuple[dict[str, Any], str, int]:
    """A customer's payment that was booked: the loan, the receipt, Fineract's transaction."""
    loan = await desk.loan("5000.00")
    paid = await desk.paybill(amount, loan["accountNo"])
    row = await desk.of_receipt(paid["receipt"])
    return loan, paid["receipt"], int(row.allocations[0]["transaction_id"])


async def listed(desk: MoneyDesk, receipt: str) -> None:
    """Until M-Pesa's own list, which is a second behind, shows a payment."""

    async def there() -> bool:
        parts = await compare(desk.house)
        return parts["mpesa"].state == "checked" and parts["mpesa"].seen >= 1

    await eventually(there, 20)


async def test_a_day_on_which_all_agree_raises_no_case(house: House, desk: MoneyDesk) -> None:
    await house.disburse()
    await house.disburse("900.00")
    _, receipt, _ = await repaid(desk)
    top_up = await desk.top_up("2500.00")
    await desk.deposit("2500.00", f"{top_up.reference} float")
    await desk.ended(top_up)
    await listed(desk, receipt)
    found = await compare(house)
    assert {part: (one.state, one.different) for part, one in found.items()} == dict.fromkeys(
        ("loans", "payments", "mpesa", "bank"), ("checked", 0)
    )
    assert (found["loans"].seen, found["payments"].seen, found["bank"].seen) == (2, 1, 1)
    assert await cases(house) == []
    async with house.database.transaction() as session:
        (row,) = await session.exec(select(Reconciliation))
    assert (row.state, row.parts["loans"]["seen"]) == ("done", 2)
    assert row.runs >= 2


async def test_a_posting_made_twice_is_one_case_until_it_is_undone(house: House, desk: MoneyDesk) -> None:
    loan, receipt, _ = await repaid(desk)
    body = {**UNDO, "transactionAmount": "1500", "paymentTypeId": 1, "receiptNumber": receipt}
    again = await house.fineract(f"/loans/{loan['id']}/transactions", "repayment", body)
    for _ in range(2):
        assert (await compare(house))["payments"].different == 1
        assert await cases(house) == [("booked_twice", "open")]
    await house.fineract(f"/loans/{loan['id']}/transactions/{again['resourceId']}", "undo", UNDO)
    assert (await compare(house))["payments"].different == 0
    assert await cases(house) == [("booked_twice", "closed")]


async def test_a_posting_that_is_missing_is_one_case_for_each_payment(house: House, desk: MoneyDesk) -> None:
    loan, _, transaction = await repaid(desk)
    loan_id, _ = await house.disburse("900.00")
    await house.fineract(f"/loans/{loan['id']}/transactions/{transaction}", "undo", UNDO)
    await house.fineract(f"/loans/{loan_id}", "undodisbursal", {})
    found = await compare(house)
    assert (found["loans"].different, found["payments"].different) == (1, 1)
    await compare(house)
    assert await cases(house) == [("booking_missing", "open")] * 2
    # One that a person has closed stays closed while the same is missing.
    async with house.database.transaction() as session:
        row = (await session.exec(select(Case))).first()
        assert row is not None
        row.state, row.closed_by = "closed", "key_ann"
        session.add(row)
    await compare(house)
    assert sorted(state for _, state in await cases(house)) == ["closed", "open"]


async def test_a_receipt_that_m_pesa_has_and_we_do_not_is_one_case_until_it_is_pulled(
    house: House, desk: MoneyDesk
) -> None:
    loan = await desk.loan("5000.00")
    await lose(house, "confirmation")
    paid = await desk.paybill("700.00", loan["accountNo"])
    await listed(desk, paid["receipt"])
    assert (await compare(house))["mpesa"].different == 1
    assert await cases(house) == [("payment_unknown", "open")]
    await pull(desk, until=1)
    await desk.of_receipt(paid["receipt"])
    assert (await compare(house))["mpesa"].different == 0
    assert await cases(house) == [("payment_unknown", "closed")]


async def test_a_wallets_account_that_holds_another_sum_is_one_case(house: House, desk: MoneyDesk) -> None:
    top_up = await desk.top_up("2500.00")
    await desk.deposit("2500.00", f"{top_up.reference} float")
    await desk.ended(top_up)
    assert (await compare(house))["bank"].different == 0  # and what lay there before us is known from now on
    wrong = Post(
        "by mistake", chart.bank_account(WALLET_ACCOUNT, "KES"), chart.partner_wallet(house.partner_id, "KES"),
        Money.parse("10.00", "KES"), "by mistake",
    )  # fmt: skip
    async with house.database.transaction() as session:
        await post(session, wrong)
    await compare(house)
    await compare(house)
    assert await cases(house) == [("balance_differs", "open")]
    async with house.database.transaction() as session:
        await post(session, Reverse("mended", "by mistake", "by mistake"))
    await compare(house)
    assert await cases(house) == [("balance_differs", "closed")]


async def test_money_at_the_bank_that_our_books_do_not_have_is_told(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.push", "lose", times=50)
    await desk.deposit("333.00", "nobody knows")
    found = await compare(house)
    assert found["bank"].different == 1
    assert await cases(house) == [("payment_unknown", "open")]


async def test_money_that_our_books_have_and_the_bank_does_not_is_told(house: House) -> None:
    """A push that was signed with the bank's secret, which somebody stole."""
    assert (await push(house, "reference", "FTSTOLEN1", "999.00", "for me")).status_code == 200

    async def recorded() -> bool:
        async with house.database.transaction() as session:
            return (await session.exec(select(IncomingPayment.id))).first() is not None

    await eventually(recorded)
    assert (await compare(house))["bank"].different == 1
    assert ("payment_unlisted", "open") in await cases(house)


async def test_what_cannot_be_asked_for_is_told_and_closes_nothing(house: House, desk: MoneyDesk) -> None:
    loan, _, transaction = await repaid(desk)
    await house.fineract(f"/loans/{loan['id']}/transactions/{transaction}", "undo", UNDO)
    await compare(house)
    assert await cases(house) == [("booking_missing", "open")]
    await house.fault("fineract.accounts", "down", times=50)
    found = await compare(house)
    assert found["payments"].state == "not_checked"
    assert found["payments"].detail
    assert found["bank"].state == "checked"
    assert await cases(house) == [("booking_missing", "open")]
    async with house.database.transaction() as session:
        (row,) = await session.exec(select(Reconciliation))
    assert row.state == "partly"


async def test_a_day_that_is_over_is_compared_by_itself_once(house: House) -> None:
    async def due() -> int:
        begun: ComparisonsStarted = await house.client.execute_workflow(
            "ReconciliationsDue", id=new_id("due"), task_queue=FLOWS_QUEUE, result_type=ComparisonsStarted
        )
        return begun.started

    assert await due() == 0  # the partner came today
    async with house.database.transaction() as session:
        partner = await session.get(Partner, house.partner_id)
        assert partner is not None
        partner.created_at = partner.created_at.replace(year=2025)
        ahead = 12 - utc_now().hour  # noon, where M-Pesa's list still holds the whole day before
        partner.timezone = f"Etc/GMT{-ahead:+d}"
        session.add(partner)
    assert await due() == 1

    async def finished() -> bool:
        async with house.database.transaction() as session:
            rows = list(await session.exec(select(Reconciliation)))
        return bool(rows) and rows[0].state != "running"

    await eventually(finished, 30)
    assert await due() == 0


@pytest.mark.parametrize("day", ["2999-01-01"])
async def test_a_day_that_has_not_begun_is_not_compared(house: House, day: str) -> None:
    handle = await house.client.start_workflow(
        "DailyReconciliation", ReconcileDay.model_validate({"partner_id": house.partner_id, "day": day}),
        id=new_id("run"), task_queue=FLOWS_QUEUE,
    )  # fmt: skip
    with pytest.raises(Exception, match="Workflow execution failed"):
        await handle.result()
