"""A top-up by prompt to a phone (NCBA's till): confirmed by the bank's credit alone, never by one word of a query."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from models.messages.saga.policies import PromptPolicy
from models.tables.lending.wallet_top_up import TopUp
from tests.flows.lending.test_wallet_top_up import available, pull_statement
from tests.support.bank_books import only_ncba, texts, told, unplug_bank, until_waiting
from tests.support.customers import MANY
from tests.support.deciding import refused
from tests.support.house import PHONE, House
from tests.support.money_in import QUICK_PROMPT, QUICK_TOP_UP, MoneyDesk

pytestmark = only_ncba

# Queries at once and often, while the payer takes a second.
EAGER = QUICK_TOP_UP.model_copy(
    update={"prompt": QUICK_PROMPT.model_copy(update={"query_after": (timedelta(seconds=0.2),) * 3})}
)


async def asked(desk: MoneyDesk, prompt: PromptPolicy = QUICK_PROMPT) -> TopUp:
    return await desk.top_up("1500.00", phone=PHONE, policy=QUICK_TOP_UP.model_copy(update={"prompt": prompt}))


async def assert_credited_once(house: House, desk: MoneyDesk, row: TopUp, *, sagas: int = 1) -> None:
    assert (row.stage, row.credited_minor) == ("completed", 150_000), row.reason
    assert await available(house) == "KES 2,500.00"
    assert len(await desk.top_ups()) == sagas
    assert len(await desk.incoming()) == 1
    await desk.assert_books_agree()


async def assert_nothing_came(house: House, desk: MoneyDesk, row: TopUp, stage: str, code: str) -> None:
    assert (row.stage, row.reason_code) == (stage, code), row.reason
    assert (await available(house), await desk.incoming()) == ("KES 1,000.00", [])
    await desk.assert_books_agree()


async def test_a_prompt_that_is_paid_is_credited(house: House, desk: MoneyDesk) -> None:
    row = await desk.ended(await asked(desk))
    await assert_credited_once(house, desk, row)
    (text,) = await texts(house, "was added to your wallet")
    assert all(word in text for word in ("KES 1,500.00", "KES 2,500.00", str(row.reference)))


async def test_a_prompt_that_the_bank_refuses_ends_without_a_credit(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.till.ask", "refuse")
    row = await desk.ended(await asked(desk))
    await assert_nothing_came(house, desk, row, "failed", "prompt_refused")


async def test_a_prompt_that_the_payer_refuses_ends_after_agreeing_queries(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.till.ask", "payer_refuses")
    row = await desk.ended(await asked(desk))
    await assert_nothing_came(house, desk, row, "failed", "not_paid")


async def test_one_failed_query_is_not_believed_while_the_payment_is_in_flight(house: House, desk: MoneyDesk) -> None:
    """The trap: FAILED, and the account push proves success a moment later (bank_ncba.md 3)."""
    await house.http.patch("/bank/simulator/behaviour", json={"payer_seconds": 1.0})
    await house.fault("bank.till.query", "failed_but_credited_later", options={"seconds": 1})
    row = await desk.ended(await desk.top_up("1500.00", phone=PHONE, policy=EAGER))
    await assert_credited_once(house, desk, row)
    assert any(key.endswith(":query") for key in await desk.timeline(row))


async def test_money_that_comes_although_every_query_said_failed_is_credited(house: House, desk: MoneyDesk) -> None:
    """Enough wrong answers end the saga; the credit gets one of its own, by the code that the push names."""
    await house.http.patch("/bank/simulator/behaviour", json={"payer_seconds": 1.0})
    await house.fault("bank.till.query", "failed_but_credited_later", times=9, options={"seconds": 2})
    first = await desk.ended(await desk.top_up("1500.00", phone=PHONE, policy=EAGER))
    assert (first.stage, first.reason_code) == ("failed", "not_paid")
    _, own = await desk.wait_for_top_ups(2)
    await assert_credited_once(house, desk, await desk.ended(own), sagas=2)


async def test_a_lost_acknowledgement_leads_to_no_second_prompt(house: House, desk: MoneyDesk) -> None:
    """Without it there is no id to ask by; the credit itself tells (SCARS: a second PIN prompt)."""
    await house.fault("bank.till.ask", "timeout_after_execution")
    row = await desk.ended(await asked(desk))
    await assert_credited_once(house, desk, row)


async def test_a_lost_acknowledgement_of_a_prompt_that_nobody_pays_expires(house: House, desk: MoneyDesk) -> None:
    await house.http.patch("/bank/simulator/behaviour", json={"payer_seconds": 60})
    await house.fault("bank.till.ask", "timeout_after_execution")
    row = await desk.ended(await asked(desk))
    await assert_nothing_came(house, desk, row, "expired", "no_answer")


async def test_a_query_that_says_paid_credits_nothing_before_the_bank_shows_the_money(
    house: House, desk: MoneyDesk
) -> None:
    """The push is lost: a person is asked, and the statement settles it before one has looked."""
    await house.fault("bank.push", "lose")
    row = await desk.until(await asked(desk), "in_review")
    assert await house.cases() == ["collection_unknown"]
    assert await available(house) == "KES 1,000.00"
    assert (await pull_statement(house)).recovered == 1
    await assert_credited_once(house, desk, await desk.ended(row))
    assert await house.cases() == []


async def test_a_person_may_name_the_banks_transaction_and_a_later_push_of_it_is_the_same_money(
    house: House, desk: MoneyDesk
) -> None:
    await house.fault("bank.push", "late", options={"seconds": 6})
    row = await desk.until(await asked(desk), "in_review", timeout=6)
    entries = (await house.http.get("/books/bank/entries")).json()
    (receipt,) = {entry["bank_transaction_id"] for entry in entries if entry["kind"] == "deposit"}
    await desk.resolve(row, "paid", receipt=receipt)
    assert await refused(desk.resolve(row, "approve")) == "four_eyes"  # by the same person
    assert (await desk.row(row)).stage == "approval"
    await desk.resolve(row, "approve", actor="key_ben")
    row = await desk.ended(row)
    await told(house, "done")
    await assert_credited_once(house, desk, row)
    assert await house.cases() == []


async def test_a_person_may_say_that_a_prompt_was_not_paid(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.push", "lose")
    row = await desk.until(await asked(desk), "in_review")
    with pytest.raises(WorkflowUpdateFailedError):
        await desk.resolve(row, "paid")  # without the bank's id of it
    await house.fault("bank.till.query", "failed_but_credited_later", times=MANY)  # asked again, it says no more so
    await desk.resolve(row, "not_paid")
    await desk.resolve(row, "approve", actor="key_ben")
    row = await desk.ended(row)
    assert (row.stage, row.reason_code) == ("failed", "resolved_not_paid")
    assert (await pull_statement(house)).recovered == 1  # and was wrong: the money is credited all the same
    _, own = await desk.wait_for_top_ups(2)
    await assert_credited_once(house, desk, await desk.ended(own), sagas=2)


async def test_a_prompt_that_may_have_reached_the_payer_cannot_be_cancelled(house: House, desk: MoneyDesk) -> None:
    """Neither by the partner nor in Temporal: the money is credited when it comes."""
    await house.http.patch("/bank/simulator/behaviour", json={"payer_seconds": 1.0})
    row = await desk.until(await asked(desk), "prompting")
    with pytest.raises(WorkflowUpdateFailedError):
        await desk.cancel(row)
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    await assert_credited_once(house, desk, await desk.ended(row))


async def test_a_cancel_that_comes_with_the_start_prompts_nobody(house: House, desk: MoneyDesk) -> None:
    await house.stop_workers()
    row = await asked(desk)
    cancelling = asyncio.create_task(desk.cancel(row))
    await asyncio.sleep(0.3)  # it lies at the server beside the start
    await house.start_workers()
    await cancelling
    await assert_nothing_came(house, desk, await desk.ended(row), "withdrawn", "cancelled")
    assert await desk.timeline(row) == ["requested", "ended"]


async def test_a_till_that_cannot_be_reached_asks_nobody(house: House, desk: MoneyDesk) -> None:
    """Known not to have left, so it is tried again; cancelled in between, it ends without a prompt."""
    await unplug_bank(house, "till_base_url")
    patient = QUICK_PROMPT.model_copy(update={"resend_after": (timedelta(seconds=0.2), timedelta(seconds=30))})
    row = await asked(desk, patient)
    await until_waiting(desk, row, "to be reachable")
    await desk.cancel(row)
    await assert_nothing_came(house, desk, await desk.ended(row), "withdrawn", "cancelled")
