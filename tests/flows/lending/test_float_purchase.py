"""A float purchase up to its code, and its plain ends: held, confirmed, moved at the bank, bought; or all given back."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from core.money import Money
from store.platform import partners
from tests.support.bank_books import (
    FUNDED,
    THERE,
    TOTAL,
    assert_bought,
    assert_given_back,
    authorised,
    both_dialects,
    funded_purchase,
    move_bank,
    movements,
    orders,
    texts,
    unplug_bank,
    until_sent,
    until_waiting,
)
from tests.support.house import House
from tests.support.money_in import QUICK_FLOAT, MoneyDesk

SLOW = QUICK_FLOAT.model_copy(
    update={"leg": QUICK_FLOAT.leg.model_copy(update={"resend_after": (timedelta(seconds=30),)})}
)


@both_dialects
async def test_float_is_bought_and_paid_for_once(house: House, desk: MoneyDesk) -> None:
    row = await desk.ended(await funded_purchase(house, desk))
    await assert_bought(house, desk, row)
    assert (row.transfer_reference is None, row.purchase_reference is None, row.returned_reference) == (
        False, False, None,
    )  # fmt: skip


async def test_code_and_confirmation_go_out_by_sms_and_by_email(house: House, desk: MoneyDesk) -> None:
    row = await desk.ended(await funded_purchase(house, desk))
    (code,) = await texts(house, "is your Kivuko code")
    assert all(word in code for word in ("KES 2,000.00", "KES 2,080.00"))
    (code_email,) = await texts(house, "Your code to buy", channel="email")
    assert code[:6] in code_email
    (text,) = await texts(house, "was bought")
    expected = ("KES 2,000.00", "KES 80.00", "KES 2,080.00", "KES 3,920.00", str(row.purchase_reference))
    assert all(word in text for word in expected)
    await texts(house, "was bought", channel="email")


async def test_the_costs_are_held_before_any_code_is_sent(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    row = await desk.buy_float("2000.00")
    await desk.code_of(row)
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (FUNDED - TOTAL, TOTAL)
    assert await orders(house) == []


async def test_a_wallet_that_is_too_low_refuses_and_holds_nothing(house: House, desk: MoneyDesk) -> None:
    row = await desk.ended(await desk.buy_float("2000.00"))  # of KES 1,000.00
    await assert_given_back(
        house, desk, row, "refused", "insufficient_funds", funded=Money.parse("1000.00", "KES")
    )  # fmt: skip
    assert await orders(house) == []
    (text,) = await texts(house, "was not bought")
    assert "not back" not in text


async def test_a_partner_without_an_authorised_contact_buys_nothing(house: House, desk: MoneyDesk) -> None:
    async with house.database.transaction() as session:
        contact = await session.merge(await authorised(house))
        contact.role = "notify"
        session.add(contact)
    await house.fund("5000.00", "float")
    row = await desk.ended(await desk.buy_float("2000.00"))
    await assert_given_back(house, desk, row, "refused", "no_authorised_contact")


async def test_a_suspended_partner_buys_nothing(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    async with house.database.transaction() as session:
        partner = await partners.get(session, house.partner_id)
        partner.status = "suspended"
        session.add(partner)
    row = await desk.ended(await desk.buy_float("2000.00"))
    await assert_given_back(house, desk, row, "refused", "partner_suspended")


@both_dialects
async def test_a_refused_transfer_gives_everything_back(house: House, desk: MoneyDesk, dialect: str) -> None:
    options = {"code": "RC01"} if dialect == "ncba" else {"code": "LIMIT_EXCEEDED"}
    await house.fault("bank.transfer", "refuse", options=options)
    row = await desk.ended(await funded_purchase(house, desk))
    await assert_given_back(house, desk, row, "failed", "invalid_request" if dialect == "ncba" else "limit_exceeded")
    (text,) = await texts(house, "was not bought")
    assert "The money is back in your wallet." in text


# ----------------------------------------------------------------------------------------------------------- cancelling


async def test_a_purchase_is_cancelled_while_its_code_is_awaited(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    row = await desk.until(await desk.buy_float("2000.00"), "awaiting_code")
    code = await desk.code_of(row)
    await desk.cancel(row)
    row = await desk.ended(row)
    await assert_given_back(house, desk, row, "withdrawn", "cancelled")
    with pytest.raises(RPCError):
        await desk.give_code(row, code)
    assert [m for m in await house.messages() if "was not bought" in m["text"]] == []


async def test_a_purchase_whose_transfer_may_have_left_cannot_be_cancelled(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.transfer", "slow", options={"seconds": 0.8})
    row = await desk.until(await funded_purchase(house, desk), "transferring")
    await until_sent(house, row)
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await desk.cancel(row)
    assert getattr(error.value.cause, "type", None) == "wrong_stage"
    await assert_bought(house, desk, await desk.ended(row))


async def test_a_purchase_is_cancelled_while_the_bank_cannot_be_reached(house: House, desk: MoneyDesk) -> None:
    """Nothing has left yet, and it is known."""
    await unplug_bank(house)
    row = await funded_purchase(house, desk, policy=SLOW)
    await until_waiting(desk, row, "to be reachable")
    await desk.cancel(row)
    await assert_given_back(house, desk, await desk.ended(row), "withdrawn", "cancelled")


async def test_a_bank_out_of_reach_for_longer_than_any_schedule_is_waited_for(house: House, desk: MoneyDesk) -> None:
    """Nothing has left, so nothing is lost by waiting; whoever wants no more of it cancels."""
    where = await unplug_bank(house)
    row = await funded_purchase(house, desk)
    await asyncio.sleep(2 * sum(wait.total_seconds() for wait in QUICK_FLOAT.leg.resend_after))
    await until_waiting(desk, row, "to be reachable")
    assert await orders(house) == []
    await move_bank(house, where)
    await assert_bought(house, desk, await desk.ended(row))


@pytest.mark.parametrize(
    ("operation", "stage"), [("bank.transfer", "transferring"), ("bank.float", "buying")], ids=["transfer", "purchase"]
)
async def test_a_workflow_cancelled_in_temporal_while_money_moves_goes_on(
    house: House, desk: MoneyDesk, operation: str, stage: str
) -> None:
    """A command that no safe point can honour any more: a step whose result is thrown away may have moved money."""
    await house.fault(operation, "slow", options={"seconds": 0.8})
    row = await desk.until(await funded_purchase(house, desk), stage)
    await until_sent(house, row)
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    await assert_bought(house, desk, await desk.ended(row))


async def test_a_workflow_cancelled_in_temporal_while_its_code_is_awaited_gives_back(
    house: House, desk: MoneyDesk
) -> None:
    await house.fund("5000.00", "float")
    row = await desk.until(await desk.buy_float("2000.00"), "awaiting_code")
    await desk.code_of(row)
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    await assert_given_back(house, desk, await desk.ended(row), "withdrawn", "cancelled")


async def test_a_workflow_cancelled_in_temporal_while_money_comes_back_goes_on(house: House, desk: MoneyDesk) -> None:
    await house.fault("bank.float", "refuse")
    await house.fault("bank.transfer", "slow", skip=1, options={"seconds": 0.8})
    row = await desk.until(await funded_purchase(house, desk), "returning")
    await until_sent(house, row)
    await house.client.get_workflow_handle(row.workflow_id).cancel()
    row = await desk.ended(row)
    assert (await movements(house))[0] == THERE
    assert (row.stage, (await house.wallet()).available) == ("failed", FUNDED)
    await desk.assert_books_agree()
