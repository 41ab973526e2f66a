"""The one-time code of a float purchase: it opens nothing but this purchase, and only while it is alive and unguessed."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select
from temporalio.client import WorkflowUpdateFailedError

from core.crypto import CodeHasher
from core.money import Money
from models.messages.lending.float_purchase import CodeConfirmed, ResendCode, code_content
from models.messages.saga.decisions import CommandTaken
from models.messages.saga.policies import FloatPolicy
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.platform.traffic import Notification
from models.tables.saga.one_time_code import OneTimeCode
from tests.support.bank_books import FUNDED, assert_bought, assert_given_back, orders
from tests.support.house import House
from tests.support.money_in import QUICK_FLOAT, MoneyDesk
from tests.support.waiting import eventually


async def awaiting(house: House, desk: MoneyDesk, policy: FloatPolicy = QUICK_FLOAT) -> FloatPurchase:
    await house.fund("5000.00", "float")
    return await desk.until(await desk.buy_float("2000.00", policy), "awaiting_code")


async def resend(house: House, row: FloatPurchase, key: str = "again") -> CommandTaken:
    taken: CommandTaken = await house.client.get_workflow_handle(row.workflow_id).execute_update(
        "resend_code", ResendCode(actor="key_partner"), id=key, result_type=CommandTaken
    )
    return taken


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_the_code_is_kept_as_a_keyed_hash_and_its_messages_sealed(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    code = await desk.code_of(row)
    async with house.database.transaction() as session:
        (kept,) = await session.exec(select(OneTimeCode).where(OneTimeCode.subject == row.workflow_id))
        messages = list(await session.exec(select(Notification).where(Notification.event == "float_code")))
    assert code not in kept.hash
    assert len(kept.hash) >= 64
    assert {message.channel for message in messages} == {"sms", "email"}
    assert all(message.sealed and code not in f"{message.text}{message.subject}" for message in messages)
    history = await house.client.get_workflow_handle(row.workflow_id).fetch_history()
    assert code not in history.to_json()


async def test_five_wrong_codes_use_it_up_and_a_new_one_may_be_sent(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    first = await desk.code_of(row)
    tried = [await desk.give_code(row, wrong(first)) for _ in range(5)]
    assert [one.verdict for one in tried] == ["wrong"] * 4 + ["used_up"]
    assert [one.tries_left for one in tried] == [4, 3, 2, 1, 0]
    assert (await desk.give_code(row, first)).verdict == "used_up"
    assert (await desk.row(row)).stage == "awaiting_code"
    await resend(house, row)
    assert (await desk.give_code(row, await desk.code_of(row, 2))).verdict == "right"
    await assert_bought(house, desk, await desk.ended(row))


async def test_simultaneous_guesses_are_counted_one_by_one(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    code = await desk.code_of(row)
    tried = await asyncio.gather(*(desk.give_code(row, wrong(code)) for _ in range(12)))
    assert sum(one.verdict == "wrong" for one in tried) == 4
    assert (await desk.give_code(row, code)).verdict == "used_up"


async def test_an_old_code_is_dead_once_a_newer_one_was_sent(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    first = await desk.code_of(row)
    await resend(house, row)
    second = await desk.code_of(row, 2)  # the same once in a million
    assert (await desk.give_code(row, first)).verdict == "wrong"
    assert (await desk.give_code(row, second)).verdict == "right"
    await assert_bought(house, desk, await desk.ended(row))


async def test_only_so_many_codes_are_sent(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    await desk.code_of(row)
    for number in (2, 3):
        await resend(house, row, f"again-{number}")
        await desk.code_of(row, number)
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await resend(house, row, "again-4")
    assert getattr(error.value.cause, "type", None) == "resend_limit"
    async with house.database.transaction() as session:
        codes = await session.exec(select(OneTimeCode.number).where(OneTimeCode.subject == row.workflow_id))
        assert sorted(codes) == [1, 2, 3]


async def test_a_code_that_has_expired_is_refused_and_another_may_be_sent(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    first = await desk.code_of(row)
    async with house.database.transaction() as session:
        kept = (await session.exec(select(OneTimeCode).where(OneTimeCode.subject == row.workflow_id))).one()
        kept.expires_at -= timedelta(minutes=11)
        session.add(kept)
    assert (await desk.give_code(row, first)).verdict == "expired"
    await resend(house, row)
    assert (await desk.give_code(row, await desk.code_of(row, 2))).verdict == "right"
    await assert_bought(house, desk, await desk.ended(row))


async def test_a_code_that_is_never_given_ends_the_purchase_and_gives_the_holds_back(
    house: House, desk: MoneyDesk
) -> None:
    row = await awaiting(house, desk, QUICK_FLOAT.model_copy(update={"confirm_within": timedelta(seconds=1.5)}))
    await assert_given_back(house, desk, await desk.ended(row), "expired", "not_confirmed")
    assert await orders(house) == []


async def test_sending_again_does_not_prolong_the_time_to_confirm(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk, QUICK_FLOAT.model_copy(update={"confirm_within": timedelta(seconds=2)}))
    await desk.code_of(row)
    await resend(house, row)
    row = await desk.ended(row, timeout=6)
    assert row.stage == "expired"
    assert row.ended_at is not None
    assert row.ended_at - row.created_at < timedelta(seconds=4)


async def test_a_code_opens_neither_another_purchase_nor_another_amount(house: House, desk: MoneyDesk) -> None:
    await house.fund("5000.00", "float")
    row = await desk.until(await desk.buy_float("2000.00"), "awaiting_code")
    code = await desk.code_of(row)
    other = await desk.buy_float("1000.00")
    await desk.code_of(other)
    assert (await desk.give_code(other, code)).verdict == "wrong"
    hasher = CodeHasher([secret.get_secret_value() for secret in house.settings.security.callback_secrets])
    amounts = [
        (Money.parse(a, "KES"), Money.parse(t, "KES")) for a, t in (("2000.00", "2080.00"), ("9000.00", "9080.00"))
    ]
    mine, dearer = (hasher.hashes(row.workflow_id, code_content(*pair, "mpesa"), code) for pair in amounts)
    assert not set(mine) & set(dearer)
    async with house.database.transaction() as session:
        kept = (await session.exec(select(OneTimeCode).where(OneTimeCode.subject == row.workflow_id))).one()
    assert kept.hash in mine


async def test_a_message_that_claims_a_right_code_moves_nothing_by_itself(house: House, desk: MoneyDesk) -> None:
    """Only the books say which code was given: whoever can send updates has not confirmed a purchase."""
    row = await awaiting(house, desk)
    await desk.code_of(row)
    handle = house.client.get_workflow_handle(row.workflow_id)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("confirm", CodeConfirmed(number=7, actor="key_eve"), result_type=CommandTaken)
    await handle.execute_update("confirm", CodeConfirmed(number=1, actor="key_eve"), result_type=CommandTaken)
    await assert_given_back(house, desk, await desk.ended(row), "refused", "not_confirmed")
    assert (await orders(house), (await house.wallet()).available) == ([], FUNDED)


async def test_the_right_code_given_twice_buys_once(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    code = await desk.code_of(row)
    given = await asyncio.gather(desk.give_code(row, code), desk.give_code(row, code))
    assert [one.verdict for one in given] == ["right", "right"]
    await assert_bought(house, desk, await desk.ended(row))


async def test_no_code_is_sent_again_once_it_was_given(house: House, desk: MoneyDesk) -> None:
    row = await awaiting(house, desk)
    await house.fault("bank.transfer", "slow", options={"seconds": 0.8})
    await desk.confirm(row)
    await desk.until(row, "transferring")
    with pytest.raises(WorkflowUpdateFailedError) as error:
        await resend(house, row)
    assert getattr(error.value.cause, "type", None) == "wrong_stage"
    await assert_bought(house, desk, await eventually(lambda: desk.ended(row)))
