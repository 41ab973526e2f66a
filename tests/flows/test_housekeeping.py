"""The sweep of what never started, and the nightly check of the books: silent while they balance, a case for each breach."""

from typing import Any

from sqlalchemy import text

from core.money import Money
from inbound.lending.loan_disbursement import claim_disbursement
from ledger import chart
from ledger.posting import post
from ledger.transfers import Hold
from models.kinds import KINDS
from models.messages.housekeeping import BooksChecked, Erased, Swept
from store.saga import saga_rows
from temporal.queues import FLOWS_QUEUE
from tests.support.house import QUICK, House
from tests.support.money_in import MoneyDesk


async def check(house: House, name: str) -> BooksChecked:
    checked: BooksChecked = await house.client.execute_workflow(
        "BooksCheck", id=f"books/{house.partner_id}/{name}", task_queue=FLOWS_QUEUE, result_type=BooksChecked
    )
    return checked


async def test_sound_books_raise_no_case(house: House) -> None:
    await house.disburse()
    assert await check(house, "1") == BooksChecked(breaches=0, open_holds=0)
    assert await house.cases() == []
    await house.disburse("900.00")  # the pools were rolled up in between
    assert (await check(house, "2")).breaches == 0


async def test_a_hold_without_a_living_saga_is_a_breach(house: House) -> None:
    async with house.database.transaction() as session:
        wallet = chart.partner_wallet(house.partner_id, "KES")
        orphan = Hold("orphan", wallet, chart.sms_fees("KES"), Money(100, "KES"), "test", workflow_id="nobody")
        await post(session, orphan)
    assert (await check(house, "1")).breaches == 1
    assert (await check(house, "2")).breaches == 1
    assert await house.cases() == ["books_do_not_balance"]  # one case, however often it is found


async def test_a_saga_that_was_terminated_is_a_breach(house: House) -> None:
    await house.spend("990.00")
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")
    assert (await check(house, "1")).breaches == 0
    await house.handle(started).terminate("by mistake")
    assert (await check(house, "2")).breaches == 1
    assert await house.cases() == ["books_do_not_balance", "waiting_funds"]


async def test_a_balance_changed_behind_the_ledger_is_a_breach(house: House) -> None:
    await house.disburse()
    async with house.database.transaction() as session:
        await (await session.connection()).execute(
            text("UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE id LIKE 'wallet:%'")
        )
    assert (await check(house, "1")).breaches >= 1
    assert set(await house.cases()) == {"books_do_not_balance"}


async def test_the_sweep_starts_a_claimed_row_of_every_kind_with_the_policy_of_its_row(
    house: House, desk: MoneyDesk
) -> None:
    """The process died between each claim and its start; nothing but the rows is left."""
    await house.fund("5000.00", "for the float")
    async with house.database.transaction() as session:
        await claim_disbursement(
            session, partner_id=house.partner_id, loan_id=await house.approve_loan(), source="poll",
            requested_by="test", policy=QUICK,
        )  # fmt: skip
    await desk.float_row("2000.00")
    await desk.top_up_row("1500.00")
    await desk.collection_row("500.00", (await desk.loan())["accountNo"])
    await house.age_claims()
    swept: Swept = await house.client.execute_workflow(
        "Sweep", id=f"sweep/{house.partner_id}/every-kind", task_queue=FLOWS_QUEUE, result_type=Swept
    )
    assert swept.started == len(KINDS)
    for kind in KINDS:
        async with house.database.transaction() as session:
            (row,) = await saga_rows.page(session, kind.row_class, partner_id=house.partner_id)
        handle = house.client.get_workflow_handle(row.workflow_id)
        described = await handle.describe()
        assert (described.workflow_type, row.id in str(await described.static_summary())) == (kind.workflow, True)
        begun = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        (request,) = await house.client.data_converter.decode(begun.input.payloads, [dict[str, Any]])
        if row.policy:
            assert request["policy"] == row.policy
        assert bool(row.policy) == (kind.row == "Disbursement")


async def test_the_nightly_erasing_forgets_a_payer_and_keeps_the_payment(house: House) -> None:
    disbursed = await house.disburse()
    await house.database.flush()  # the mark that its callback was delivered
    async with house.database.transaction() as session:
        await (await session.connection()).execute(
            text("UPDATE webhook_inbox SET received_at = now() - interval '2 years'")
        )
    done: Erased = await house.client.execute_workflow(
        "Retention", id=f"retention/{house.partner_id}", task_queue=FLOWS_QUEUE, result_type=Erased
    )
    assert disbursed is not None
    assert done.finished
    assert done.rows >= 1
    assert (await check(house, "after")).breaches == 0
