"""A float purchase whose movements at the bank are in doubt: never repeated, never undone, settled by evidence alone."""

from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from temporalio.client import WorkflowUpdateFailedError

from models.tables.lending.float_purchase import FloatPurchase
from models.tables.platform.traffic import InboxItem
from models.tables.saga.payout_attempt import PayoutAttempt
from tests.support.bank_books import (
    BOUGHT,
    FUNDED,
    TOTAL,
    assert_bought,
    assert_given_back,
    both_dialects,
    funded_purchase,
    movements,
    only_ncba,
    open_cases,
    orders,
    texts,
    until_waiting,
)
from tests.support.deciding import refused
from tests.support.house import House
from tests.support.lender import B2C_ACCOUNT, WALLET_ACCOUNT
from tests.support.money_in import QUICK_FLOAT, MoneyDesk
from tests.support.waiting import eventually

EXECUTED = [
    "paid_but_answered_otherwise", "timeout_after_execution", "drop_after_debit", "server_error_after", "not_json",
]  # fmt: skip
BOTH_LEGS = pytest.mark.parametrize("operation", ["bank.transfer", "bank.float"])
# One question soon: for banks that answer nothing at all.
CURT = QUICK_FLOAT.model_copy(
    update={"leg": QUICK_FLOAT.leg.model_copy(update={"query_after": (timedelta(seconds=0.7),)})}
)


async def silence(house: House, operation: str, *, answers: int = 0) -> None:
    """The bank tells nothing of such instructions by itself, nor when it is asked, after so many `answers`."""
    account = {"account": WALLET_ACCOUNT if operation == "bank.transfer" else B2C_ACCOUNT}
    await house.fault("bank.push", "lose", times=1000, match=account)
    await house.fault("bank.statement", "down", times=1000, match=account)
    await house.fault("bank.find", "down", times=1000, skip=answers)


async def age_attempts(house: House) -> None:
    """As if every instruction had been sent an hour ago, so that the bank's window has passed."""
    async with house.database.transaction() as session:
        for attempt in await session.exec(select(PayoutAttempt)):
            attempt.updated_at -= timedelta(hours=1)
            session.add(attempt)


async def decided_by_two(desk: MoneyDesk, row: FloatPurchase, decision: str, **more: Any) -> None:
    await desk.resolve(row, decision, actor="key_ann", **more)
    assert await refused(desk.resolve(row, "approve", actor="key_ann")) == "four_eyes"
    await desk.resolve(row, "approve", actor="key_bob")


@both_dialects
@pytest.mark.parametrize("action", EXECUTED)
async def test_executed_instructions_with_odd_answers_are_settled_by_the_push(
    house: House, desk: MoneyDesk, action: str
) -> None:
    """SCARS: a bank's "not success" answer was in truth paid, and was refunded."""
    for operation in ("bank.transfer", "bank.float"):
        await house.fault(operation, action)
    await assert_bought(house, desk, await desk.ended(await funded_purchase(house, desk)))


@both_dialects
async def test_executed_instructions_whose_answers_and_pushes_are_lost_are_found_by_asking(
    house: House, desk: MoneyDesk
) -> None:
    """By the status query, or by the statement's debit where the bank has none."""
    await house.fault("bank.push", "lose", times=1000)
    for operation in ("bank.transfer", "bank.float"):
        await house.fault(operation, "drop_after_debit")
    await assert_bought(house, desk, await desk.ended(await funded_purchase(house, desk)))


@both_dialects
@BOTH_LEGS
async def test_what_nobody_tells_waits_for_a_person_and_later_evidence_settles_it(
    house: House, desk: MoneyDesk, operation: str
) -> None:
    await silence(house, operation)
    await house.fault(operation, "timeout_after_execution")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    assert await house.cases() == ["payout_unknown"]
    assert (await house.wallet()).held == TOTAL
    (text,) = await texts(house, "we do not know yet")
    assert "pay_" in text
    await house.http.delete("/faults")
    await desk.retry(row)  # asks the bank now
    await assert_bought(house, desk, await desk.ended(row))


@both_dialects
@BOTH_LEGS
async def test_two_people_say_that_a_movement_was_made(house: House, desk: MoneyDesk, operation: str) -> None:
    await silence(house, operation)
    await house.fault(operation, "timeout_after_execution")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await desk.resolve(row, "paid")
    assert getattr(error.value.cause, "type", None) == "receipt_missing"
    wanted = "transfer" if operation == "bank.transfer" else "float"
    (order,) = [one for one in await orders(house) if one["what"] == wanted]
    await decided_by_two(desk, row, "paid", receipt=order["transaction_id"])
    await house.http.delete("/faults")
    await assert_bought(house, desk, await desk.ended(row))


@both_dialects
async def test_two_people_say_that_a_transfer_was_not_made(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.transfer", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    assert (await house.wallet()).held == TOTAL
    await decided_by_two(desk, row, "not_paid")
    await assert_given_back(house, desk, await desk.ended(row), "failed", "resolved_not_paid")


async def test_a_declined_word_of_one_person_changes_nothing(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.transfer", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    await desk.resolve(row, "not_paid", actor="key_ann")
    await desk.resolve(row, "decline", actor="key_bob")
    assert await refused(desk.resolve(row, "approve", actor="key_bob")) == "wrong_stage"
    assert (await house.wallet()).held == TOTAL
    assert (await desk.status(row)).stage == "in_review"


async def test_a_proposal_about_one_movement_is_none_about_the_next(house: House, desk: MoneyDesk) -> None:
    """Ann has seen the transfer under a receipt; evidence settles it. Bob's "approve", while the purchase is in doubt,
    approves nothing."""
    for operation in ("bank.transfer", "bank.float"):
        await silence(house, operation)
        await house.fault(operation, "timeout_after_execution")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    await desk.resolve(row, "paid", actor="key_ann", receipt="FT26334NOBODY")
    await house.http.delete("/faults")
    await silence(house, "bank.float", answers=1)
    await house.fault("bank.float", "timeout_after_execution")
    await desk.retry(row)  # finds the transfer
    await desk.until(row, "buying")
    await desk.until(row, "in_review")
    await until_waiting(desk, row, "operator")
    assert await refused(desk.resolve(row, "approve", actor="key_bob")) == "wrong_stage"
    (case,) = await open_cases(house)
    assert case.evidence["to"].endswith("600997")  # the purchase's doubt, not the transfer's
    await house.http.delete("/faults")
    await desk.retry(row)
    await assert_bought(house, desk, await desk.ended(row))


@both_dialects
@BOTH_LEGS
async def test_an_instruction_that_may_have_been_executed_is_not_believed_lost_within_the_window(
    house: House, desk: MoneyDesk, operation: str
) -> None:
    """Nothing was executed, but nobody can know that yet: "not found" is no failure, and nothing is undone."""
    await house.fault(operation, "timeout_before")
    await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    assert (await house.wallet()).held == TOTAL
    assert BOUGHT not in await movements(house)
    assert [order["reference"] for order in await orders(house)] == [] or operation == "bank.float"
    assert await house.cases() == ["payout_unknown"]


async def test_a_transfer_that_the_bank_does_not_know_after_its_window_has_failed(
    house: House, desk: MoneyDesk
) -> None:
    await house.fault("bank.transfer", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    await age_attempts(house)
    await desk.retry(row)
    await assert_given_back(house, desk, await desk.ended(row), "failed", "not_found")


@only_ncba
async def test_a_bank_without_references_never_proves_that_nothing_happened(house: House, desk: MoneyDesk) -> None:
    """Absence on NCBA's statement is no evidence, however long ago."""
    await house.fault("bank.transfer", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    await until_waiting(desk, row, "operator")
    await age_attempts(house)
    await desk.retry(row)

    async def asked_again() -> bool:
        return (await desk.status(row)).legs[0].last_said == "no statement line shows it yet"

    await eventually(asked_again)
    assert (await desk.status(row)).stage == "in_review"
    assert (await house.wallet()).available == FUNDED - TOTAL


@BOTH_LEGS
async def test_a_bank_that_is_down_for_a_moment_is_told_once(house: House, desk: MoneyDesk, operation: str) -> None:
    """A 503 to an instruction says nothing about it: it is asked after, never sent again."""
    await house.fault(operation, "server_error_before")
    await desk.until(await funded_purchase(house, desk, policy=CURT), "in_review")
    assert all(order["reference"].endswith("-a1") for order in await orders(house))
    assert (await house.wallet()).held == TOTAL


@both_dialects
@pytest.mark.parametrize("action", ["double", "late", "shuffle"])
async def test_pushes_that_come_twice_late_or_out_of_order_change_nothing(
    house: House, desk: MoneyDesk, action: str
) -> None:
    """The answers of the instructions are lost as well, so that the pushes are all there is."""
    for operation in ("bank.transfer", "bank.float"):
        await house.fault(operation, "drop_after_debit")
    await house.fault("bank.push", action, times=9, options={"seconds": 0.5})
    row = await desk.ended(await funded_purchase(house, desk))
    await assert_bought(house, desk, row)
    assert len(await desk.incoming()) == 0


@both_dialects
async def test_a_push_that_overtakes_the_answer_settles_the_movement(house: House, desk: MoneyDesk) -> None:
    for operation in ("bank.transfer", "bank.float"):
        await house.fault(operation, "timeout_after_execution", options={"seconds": 0.6})
    await assert_bought(house, desk, await desk.ended(await funded_purchase(house, desk)))


@both_dialects
async def test_forged_pushes_settle_nothing(house: House, desk: MoneyDesk, dialect: str) -> None:
    """Every push has a wrong proof; what is believed is the bank's answer to our own question."""
    await house.http.patch("/bank/simulator/behaviour", json={"retry_scale": 10})
    await house.fault("bank.push", "wrong_hash", times=1000)
    await house.fault("bank.float", "drop_after_debit")
    row = await desk.ended(await funded_purchase(house, desk))
    await eventually(lambda: _judged(house), 20)
    await assert_bought(house, desk, row, cases_left=("push_forged",) if dialect == "ncba" else ())
    async with house.database.transaction() as session:
        found = await session.exec(select(InboxItem.outcome).where(InboxItem.provider == "bank"))
    # The bank that signs bytes is refused at the door; of the other's the forged ones are kept and believed in nothing.
    assert set(found) == ({"forged"} if dialect == "ncba" else set())


async def _judged(house: House) -> bool:
    return await house.undelivered() == []
