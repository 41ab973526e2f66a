"""Each fault of the simulated Daraja, seen by a receiver of callbacks and judged by the books."""

from datetime import datetime
from typing import Any

import pytest

from core.money import Money
from models.messages.saga.reports import Report
from providers.daraja.wire import (
    balances_beside,
    external_id,
    parse_balance_result,
    parse_result,
    parse_status_result,
)
from providers.daraja.wire import parse_timeout_notice as parse_notice
from simulators.faults import Fault, FaultScript
from tests.providers.daraja.bench import PHONE, Bench


async def results(bench: Bench, count: int) -> list[Report]:
    return [parse_result(callback.body) for callback in await bench.received(count)]


async def test_a_payouts_own_callback_is_read_by_our_wire(bench: Bench) -> None:
    accepted = await bench.client().send(bench.order())
    (read,) = await results(bench, 1)
    (paid,) = bench.paid()
    assert (read.state, read.reference) == ("paid", paid["reference"])
    assert read.provider_reference == accepted.provider_reference
    assert (read.receipt, read.party_digits) == (paid["receipt"], paid["msisdn"])
    assert read.amount == Money.parse(paid["amount"], "KES")
    assert read.happened_at is not None
    assert abs((read.happened_at - datetime.fromisoformat(paid["at"])).total_seconds()) < 1
    balances = balances_beside(bench.callbacks[0].body)
    assert balances["Utility Account"] == Money.parse("498750.00", "KES")
    assert balances["Charges Paid Account"] == Money.parse("-5.00", "KES", signed=True)
    assert bench.callbacks[0].path == bench.order().result_url.split("/cb/")[1]


async def test_a_lost_callback_leaves_a_paid_payout_that_the_status_query_finds(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "lose")
    client = bench.client()
    await client.send(bench.order())
    await bench.until(lambda: len(bench.paid()) == 1)
    await client.query_status(bench.inquiry())
    (callback,) = await bench.received()
    read = parse_status_result(callback.body)
    assert (read.state, read.reference) == ("paid", "pay_01a-a1")
    assert read.receipt == bench.paid()[0]["receipt"]


async def test_an_early_callback_comes_before_the_acknowledgement(bench: Bench) -> None:
    """SCARS: the result arrives before the acknowledgement and is overwritten by it."""
    bench.fault("daraja.b2c.result", "early")
    accepted = await bench.client().send(bench.order())
    assert len(bench.callbacks) == 1
    assert parse_result(bench.callbacks[0].body).provider_reference == accepted.provider_reference


async def test_a_duplicate_callback_has_the_same_inbox_id(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "duplicate")
    await bench.client().send(bench.order())
    first, second = await bench.received(2)
    assert external_id("result", first.body) == external_id("result", second.body)
    assert len(bench.paid()) == 1


@pytest.mark.parametrize(
    ("action", "states"),
    [
        ("contradict_after", ["paid", "failed"]), ("contradict_before", ["failed", "paid"]),
        ("pending_first", ["pending", "paid"]),
    ],
)  # fmt: skip
async def test_two_results_of_one_payout_come_in_the_order_asked_for(
    bench: Bench, action: str, states: list[str]
) -> None:
    bench.fault("daraja.b2c.result", action, seconds=0.05)
    await bench.client().send(bench.order())
    assert [read.state for read in await results(bench, 2)] == states
    first, second = bench.callbacks
    assert external_id("result", first.body) != external_id("result", second.body)
    assert len(bench.paid()) == 1


async def test_a_forged_callback_invents_ids_and_amount_at_the_right_address(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "forged", seconds=0.05)
    await bench.client().send(bench.order())
    forged, true = await results(bench, 2)
    assert bench.callbacks[0].path == bench.callbacks[1].path
    assert forged.state == true.state == "paid"
    assert forged.amount != true.amount
    assert forged.reference != true.reference == "pay_01a-a1"
    assert [row["receipt"] for row in bench.paid()] == [true.receipt]


async def test_a_forged_address_differs_in_its_secret_alone(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "forged_url", seconds=0.05)
    await bench.client().send(bench.order())
    forged, true = await bench.received(2)
    assert forged.path[:-1] == true.path[:-1]
    assert forged.path[-1] != true.path[-1]


@pytest.mark.parametrize("shape", ["echo", "result"])
async def test_a_timeout_notice_alone_means_that_nothing_was_paid_here(bench: Bench, shape: str) -> None:
    bench.fault("daraja.b2c.result", "timeout_notice_only", shape=shape)
    client = bench.client()
    await client.send(bench.order())
    (notice,) = await bench.received()
    assert notice.path.startswith("late/")
    assert parse_notice(notice.body).reference == "pay_01a-a1"
    assert bench.paid() == []
    await client.query_status(bench.inquiry())
    status = parse_status_result((await bench.received(2))[1].body)
    assert (status.state, status.code) == ("failed", "Expired")


async def test_a_timeout_notice_may_be_followed_by_a_success(bench: Bench) -> None:
    """SCARS: a timed-out payout is marked failed."""
    bench.fault("daraja.b2c.result", "timeout_notice_then_result", seconds=0.05)
    await bench.client().send(bench.order())
    notice, result = await bench.received(2)
    assert parse_notice(notice.body).state == "unclear"
    assert parse_result(result.body).state == "paid"
    assert len(bench.paid()) == 1


async def test_a_wrong_amount_is_in_the_callback_and_not_in_the_books(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "wrong_amount", by=50)
    await bench.client().send(bench.order())
    (read,) = await results(bench, 1)
    assert (read.amount, bench.paid()[0]["amount"]) == (Money.parse("1300", "KES"), "1250.00")


async def test_texts_in_place_of_numbers_are_read_alike(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "as_strings")
    await bench.client().send(bench.order())
    (read,) = await results(bench, 1)
    assert bench.callbacks[0].body["Result"]["ResultCode"] == "0"
    assert (read.state, read.amount) == ("paid", Money.parse("1250", "KES"))


async def test_a_late_result_is_late(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "late", seconds=0.4)
    await bench.client().send(bench.order())
    await bench.until(lambda: len(bench.paid()) == 1)
    assert bench.callbacks == []
    assert (await results(bench, 1))[0].state == "paid"


@pytest.mark.parametrize("code", ["2001", "2040", "SFC_IC0003", "17", "15"])
async def test_a_scripted_refusal_is_accepted_first_and_pays_nothing(bench: Bench, code: str) -> None:
    bench.fault("daraja.b2c.send", "refuse", code=code)
    await bench.client().send(bench.order())
    (read,) = await results(bench, 1)
    assert read.code == code
    assert read.state is ("unclear" if code in ("15", "17") else "failed")
    assert bench.paid() == []


async def test_a_duplicate_may_be_told_by_a_result_15_while_the_first_was_paid(bench: Bench) -> None:
    client = bench.client()
    await client.send(bench.order())
    await bench.received()
    bench.fault("daraja.b2c.send", "duplicate_as_result")
    await client.send(bench.order())
    read = parse_result((await bench.received(2))[1].body)
    assert (read.code, read.state, read.reference) == ("15", "unclear", "pay_01a-a1")
    assert len(bench.paid()) == 1


async def test_a_slow_answer_is_an_answer(bench: Bench) -> None:
    bench.fault("daraja.b2c.send", "slow", seconds=0.2)
    await bench.client().send(bench.order())


async def test_faults_can_be_aimed_at_one_payout(bench: Bench) -> None:
    facts = {"msisdn": PHONE.digits, "amount": "1250", "reference": "pay_2-a1", "shortcode": "600997"}
    bench.world.faults.add(FaultScript(faults=[Fault(operation="daraja.b2c.result", action="lose", match=facts)]))
    client = bench.client()
    await client.send(bench.order("pay_1-a1"))
    await client.send(bench.order("pay_2-a1"))
    await bench.until(lambda: len(bench.paid()) == 2)
    assert [read.reference for read in await results(bench, 1)] == ["pay_1-a1"]


# ------------------------------------------------------------------------------------------------ status and balance


async def ask(bench: Bench, action: str | None = None, **options: Any) -> Report:
    """A paid payout whose own callback is lost, then a status query under a fault."""
    bench.fault("daraja.b2c.result", "lose")
    client = bench.client()
    await client.send(bench.order())
    await bench.until(lambda: len(bench.paid()) == 1)
    if action:
        bench.fault("daraja.status.answer", action, **options)
    await client.query_status(bench.inquiry())
    return parse_status_result((await bench.received())[0].body)


@pytest.mark.parametrize("action", ["duplicate_keys", "as_strings"])
async def test_odd_status_answers_are_read_like_plain_ones(bench: Bench, action: str) -> None:
    read = await ask(bench, action)
    assert (read.state, read.party_digits) == ("paid", PHONE.digits)
    assert (read.amount, read.receipt) == (Money.parse("1250", "KES"), bench.paid()[0]["receipt"])


@pytest.mark.parametrize(
    ("action", "options", "state", "code"),
    [
        ("not_found", {}, "unclear", "2033"), ("failed_query", {}, "unclear", "25"),
        ("pending", {}, "pending", "Pending Authorized"), ("status", {"status": "Cancelled"}, "failed", "Cancelled"),
    ],
)  # fmt: skip
async def test_a_status_answer_can_be_bent(
    bench: Bench, action: str, options: dict[str, Any], state: str, code: str
) -> None:
    read = await ask(bench, action, **options)
    assert (read.state, read.code) == (state, code)


async def test_a_reference_never_seen_is_unclear_not_failed(bench: Bench) -> None:
    await bench.client().query_status(bench.inquiry("pay_never-a1"))
    read = parse_status_result((await bench.received())[0].body)
    assert (read.state, read.code) == ("unclear", "2033")


async def test_status_and_balance_answers_can_be_lost(bench: Bench) -> None:
    bench.fault("daraja.status.answer", "lose")
    bench.fault("daraja.balance.answer", "lose")
    client = bench.client()
    await client.query_status(bench.inquiry())
    await client.query_balance(bench.callback_url("bal", "1"), bench.callback_url("bal", "2"))
    await client.query_balance(bench.callback_url("bal", "3"), bench.callback_url("bal", "4"))
    (callback,) = await bench.received()
    assert callback.path == bench.callback_url("bal", "3").split("/cb/")[1]


async def test_the_balance_falls_by_what_was_paid(bench: Bench) -> None:
    client = bench.client()
    await client.send(bench.order())
    await bench.received()
    await client.query_balance(bench.callback_url("bal", "x"), bench.callback_url("bal", "y"))
    balances = parse_balance_result((await bench.received(2))[1].body)
    assert balances["Utility Account"] == Money.parse("498750.00", "KES")
    assert balances["Charges Paid Account"] == Money.parse("-5.00", "KES", signed=True)


async def test_v1_has_its_own_reference_and_is_asked_by_it(bench: Bench) -> None:
    bench.fault("daraja.b2c.result", "lose")
    client = bench.client(b2c_version="v1")
    accepted = await client.send(bench.order())
    await bench.until(lambda: len(bench.paid()) == 1)
    assert bench.paid()[0]["reference"] == accepted.provider_reference
    await client.query_status(bench.inquiry(provider_reference=accepted.provider_reference))
    assert parse_status_result((await bench.received())[0].body).state == "paid"
    await client.query_status(bench.inquiry(provider_reference=bench.paid()[0]["receipt"]))
    assert parse_status_result((await bench.received(2))[1].body).state == "paid"
