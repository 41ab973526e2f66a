"""Float that was not bought after the money had moved: confirmed first, then moved back as a leg of its own."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from core.money import Money
from models.tables.lending.float_purchase import FloatPurchase
from tests.flows.lending.test_wallet_top_up import pull_statement
from tests.support.bank_books import (
    BACK,
    BOUGHT,
    FUNDED,
    THERE,
    TOTAL,
    assert_bought,
    assert_given_back,
    both_dialects,
    funded_purchase,
    movements,
    only_ncba,
    open_cases,
    orders,
    push_event,
    texts,
    until_waiting,
)
from tests.support.customers import until_case
from tests.support.house import House
from tests.support.lender import B2C_ACCOUNT, WALLET_ACCOUNT
from tests.support.money_in import QUICK_FLOAT, MoneyDesk
from tests.support.waiting import eventually

SLOW_CODE = QUICK_FLOAT.model_copy(
    update={"leg": QUICK_FLOAT.leg.model_copy(update={"query_after": (timedelta(seconds=0.6),)})}
)


async def ended_with_return(house: House, desk: MoneyDesk, row: FloatPurchase, code: str) -> FloatPurchase:
    row = await desk.ended(row)
    await assert_given_back(house, desk, row, "failed", code, moved=(THERE, BACK))
    assert row.returned_reference is not None
    return row


@both_dialects
async def test_a_refused_purchase_moves_the_money_back(house: House, desk: MoneyDesk, dialect: str) -> None:
    await house.fault("bank.float", "refuse")
    code = "invalid_request" if dialect == "ncba" else "limit_exceeded"
    await ended_with_return(house, desk, await funded_purchase(house, desk), code)
    (text,) = await texts(house, "was not bought")
    assert "The money is back in your wallet." in text


async def test_a_purchase_that_is_rejected_later_moves_the_money_back(house: House, desk: MoneyDesk) -> None:
    """The webhook's word is confirmed by a status question before anything is moved back."""
    await house.fault("bank.float", "reject_later", options={"code": "ACCOUNT_NOT_FOUND"})
    row = await funded_purchase(house, desk)
    await ended_with_return(house, desk, row, "account_not_found")
    (purchase,) = [order["reference"] for order in await orders(house) if order["what"] == "float"]
    assert f"{purchase}:ask" in await desk.timeline(row)


async def test_a_rejection_that_the_banks_own_answer_contradicts_moves_nothing_back(
    house: House, desk: MoneyDesk
) -> None:
    """A forged or mistaken "rejected" while the status says settled: the float is there, so nothing goes back."""
    await house.fault("bank.push", "lose", times=1000, match={"account": B2C_ACCOUNT})
    await house.fault("bank.float", "timeout_after_execution")
    row = await desk.until(await funded_purchase(house, desk), "buying")
    reference = await float_reference(house)
    answer = await push_event(
        house, "float.rejected", "2000.00", client_reference=reference, bank_reference="RB2601-000009",
        reason="ACCOUNT_NOT_FOUND",
    )  # fmt: skip
    assert answer.is_success
    row = await desk.ended(row)
    await assert_bought(house, desk, row, cases_left=("payout_contradiction",))


@both_dialects
async def test_a_refused_transfer_back_waits_for_a_person_and_is_tried_again(
    house: House, desk: MoneyDesk, dialect: str
) -> None:
    await house.fault("bank.float", "refuse")
    await house.fault("bank.transfer", "refuse", skip=1)
    row = await funded_purchase(house, desk)
    await until_waiting(desk, row, "repeat the transfer back")
    (case,) = await open_cases(house)
    assert (case.kind, case.actions) == ("transfer_back_failed", ["retry"])
    assert (await house.wallet()).held == TOTAL
    assert await movements(house) == [THERE]
    with pytest.raises(WorkflowUpdateFailedError):
        await desk.cancel(row)
    await desk.retry(row)
    await ended_with_return(house, desk, row, "invalid_request" if dialect == "ncba" else "limit_exceeded")


async def test_a_retry_of_an_earlier_wait_repeats_no_transfer_back(house: House, desk: MoneyDesk) -> None:
    """Somebody pressed it while the code was awaited, where it goes nowhere."""
    await house.fault("bank.float", "refuse")
    await house.fault("bank.transfer", "refuse", skip=1)
    await house.fund("5000.00", "float")
    row = await desk.buy_float("2000.00")
    await until_waiting(desk, row, "the one-time code")
    await desk.retry(row)
    await desk.confirm(row)
    await until_waiting(desk, row, "repeat the transfer back")
    await asyncio.sleep(1)  # a repeat would have been made by now
    await until_waiting(desk, row, "repeat the transfer back")
    assert await movements(house) == [THERE]


@both_dialects
@pytest.mark.parametrize("action", ["timeout_after_execution", "paid_but_answered_otherwise", "not_json"])
async def test_a_transfer_back_with_an_odd_answer_is_never_repeated(
    house: House, desk: MoneyDesk, dialect: str, action: str
) -> None:
    await house.fault("bank.float", "refuse")
    await house.fault("bank.transfer", action, skip=1)
    row = await funded_purchase(house, desk)
    await ended_with_return(house, desk, row, "invalid_request" if dialect == "ncba" else "limit_exceeded")


async def test_a_purchase_that_the_bank_does_not_reach_any_more_moves_the_money_back(
    house: House, desk: MoneyDesk
) -> None:
    """Two people say so, and the wallet is whole again."""
    await house.fault("bank.float", "timeout_before")
    row = await desk.until(await funded_purchase(house, desk, policy=SLOW_CODE), "in_review")
    await until_waiting(desk, row, "operator")
    await desk.resolve(row, "not_paid", actor="key_ann")
    await desk.resolve(row, "approve", actor="key_bob")
    await ended_with_return(house, desk, row, "resolved_not_paid")


# -------------------------------------------------------------------------------------------- money that comes back


@both_dialects
async def test_a_settled_transfer_that_the_bank_moves_back_is_a_case_and_no_top_up(
    house: House, desk: MoneyDesk, dialect: str
) -> None:
    """The float is bought from what else lies on the B2C account. NCBA tells of it by a credit push alone, which names our
    own reference: whoever takes it for a payment credits the wallet with its own money."""
    await desk.deposit("2000.00", "spare", account=B2C_ACCOUNT)
    await until_case(house, "credit_elsewhere")
    await house.fault("bank.transfer", "reverse_later", options={"seconds": 4})
    row = await desk.ended(await funded_purchase(house, desk))
    assert row.stage == "completed", row.reason
    wanted = sorted(["credit_elsewhere", "payout_contradiction"])

    async def told() -> bool:
        return await house.cases() == wanted

    await eventually(told, 20)
    assert await movements(house) == [THERE, BOUGHT, BACK]
    assert (await house.wallet()).available == FUNDED - TOTAL
    assert await desk.top_ups() == []
    await house.assert_books_balance()


async def test_a_transfer_that_is_rejected_later_gives_everything_back(house: House, desk: MoneyDesk) -> None:
    """Taken, then rejected: confirmed by a status question, and no float is bought."""
    await house.fault("bank.transfer", "reject_later", options={"code": "LIMIT_EXCEEDED"})
    row = await desk.ended(await funded_purchase(house, desk))
    await assert_given_back(house, desk, row, "failed", "limit_exceeded")
    assert [order["what"] for order in await orders(house)] == ["transfer"]
    assert any(key.endswith("-a1:ask") for key in await desk.timeline(row))


@only_ncba
async def test_a_purchase_that_is_debited_and_moved_back_in_silence_moves_the_money_back(
    house: House, desk: MoneyDesk
) -> None:
    """The debit's push is lost and its answer too: the credit back under our own reference proves that no float came."""
    await house.fault("bank.push", "lose", skip=1, match={"account": B2C_ACCOUNT})
    await house.fault("bank.float", "reject_later", options={"debited": True})
    row = await desk.ended(await funded_purchase(house, desk))
    refund = f"{BOUGHT.split(' > ')[1].split(' ')[0]} > {B2C_ACCOUNT} 2000.00"
    await assert_given_back(house, desk, row, "failed", "reversed", moved=(THERE, BOUGHT, refund, BACK))
    assert await desk.top_ups() == []


async def test_a_debit_is_no_result_where_the_bank_tells_results_itself(house: House, desk: MoneyDesk) -> None:
    """The reference bank debits the B2C account, says so, and rejects the purchase: taking the debit for the float would
    charge the partner for nothing."""
    await house.fault("bank.float", "reject_later", options={"debited": True, "code": "OPERATOR_UNAVAILABLE"})
    row = await desk.ended(await funded_purchase(house, desk))
    refund = f"{BOUGHT.split(' > ')[1].split(' ')[0]} > {B2C_ACCOUNT} 2000.00"
    await assert_given_back(house, desk, row, "failed", "operator_unavailable", moved=(THERE, BOUGHT, refund, BACK))
    assert await desk.top_ups() == []
    assert await house.cases() == []


@both_dialects
async def test_a_statement_credits_nobody_with_our_own_movements(house: House, desk: MoneyDesk, dialect: str) -> None:
    """There, back, and a debit moved back: all of it is on the statements, and none of it is anybody's payment."""
    await house.fault("bank.float", "refuse")
    row = await funded_purchase(house, desk)
    await ended_with_return(house, desk, row, "invalid_request" if dialect == "ncba" else "limit_exceeded")
    pulled = await pull_statement(house)
    assert (pulled.seen, pulled.recovered) == (2, 0)
    assert (await desk.top_ups(), await house.cases()) == ([], [])
    assert (await house.wallet()).available == FUNDED


@only_ncba
async def test_a_movement_back_whose_push_was_lost_is_learnt_from_the_statement(house: House, desk: MoneyDesk) -> None:
    await desk.deposit("2000.00", "spare", account=B2C_ACCOUNT)
    await until_case(house, "credit_elsewhere")  # it feeds no wallet
    await house.fault("bank.push", "lose", skip=1, times=1000, match={"account": WALLET_ACCOUNT})
    await house.fault("bank.transfer", "reverse_later", options={"seconds": 0.1})
    row = await desk.ended(await funded_purchase(house, desk))
    assert row.stage == "completed", row.reason
    assert "payout_contradiction" not in await house.cases()
    await pull_statement(house)
    assert "payout_contradiction" in await house.cases()
    assert await desk.top_ups() == []


async def test_money_that_names_our_reference_but_another_amount_is_for_a_person(house: House, desk: MoneyDesk) -> None:
    """A part that comes back, or somebody who quotes us: nothing is guessed."""
    row = await desk.ended(await funded_purchase(house, desk))
    reference = next(order["reference"] for order in await orders(house))
    await desk.deposit("1990.00", f"returned {reference}")
    (credit,) = await desk.wait_for_top_ups(1)
    credit = await desk.until(credit, "unallocated")
    assert (row.stage, credit.amount_minor) == ("completed", 199_000)
    assert (await house.wallet()).available == FUNDED - TOTAL
    assert Money(credit.amount_minor, "KES") != TOTAL


async def float_reference(house: House) -> str:
    async def taken() -> str | None:
        return next((str(o["reference"]) for o in await orders(house) if o["what"] == "float"), None)

    found: str = await eventually(taken)
    return found
