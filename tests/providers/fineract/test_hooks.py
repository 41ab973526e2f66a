"""Registering our hook, and what then arrives."""

from collections.abc import AsyncIterator

import pytest

from core.errors import InvalidRequest
from providers.fineract.wire import HookEvent, parse_hook
from tests.simulators.fineract.bank import Bank
from tests.simulators.fineract.receiver import Receiver, receiving
from tests.support.waiting import eventually

EVENTS = [("LOAN", "APPROVE"), ("LOAN", "DISBURSE")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_registering_twice_makes_one_hook_that_is_probed_with_a_get(bank: Bank, receiver: Receiver) -> None:
    async with bank.fineract() as fineract:
        first = await fineract.register_hook(receiver.url, EVENTS)
        second = await fineract.register_hook(receiver.url, EVENTS)
    assert first == second
    assert len((await bank.call("GET", "/hooks")).json()) == 1
    assert receiver.probes == 1


async def test_a_hook_that_lacks_events_or_was_switched_off_is_mended(bank: Bank, receiver: Receiver) -> None:
    async with bank.fineract() as fineract:
        first = await fineract.register_hook(receiver.url, EVENTS[:1])
        assert await fineract.register_hook(receiver.url, EVENTS) == first
        [hook] = (await bank.call("GET", "/hooks")).json()
        assert len(hook["events"]) == 2
        body = {"name": "Web", "isActive": False, "displayName": "kivuko", "events": hook["events"]}
        config = {"Payload URL": receiver.url, "Content Type": "json"}
        assert (await bank.call("PUT", f"/hooks/{first}", body | {"config": config})).status_code == 200
        assert await fineract.register_hook(receiver.url, EVENTS) == first
    [hook] = (await bank.call("GET", "/hooks")).json()
    assert hook["isActive"] is True


async def test_a_url_without_its_slash_or_that_nobody_answers_is_refused(bank: Bank, receiver: Receiver) -> None:
    async with bank.fineract() as fineract:
        with pytest.raises(InvalidRequest):
            await fineract.register_hook(receiver.url.rstrip("/"), EVENTS)
        with pytest.raises(InvalidRequest):
            await fineract.register_hook("http://127.0.0.1:1/hooks/", EVENTS)
    assert (await bank.call("GET", "/hooks")).json() == []


async def test_an_approval_arrives_and_names_the_loan(bank: Bank, receiver: Receiver) -> None:
    async with bank.fineract() as fineract:
        await fineract.register_hook(receiver.url, EVENTS)
    loan_id = await bank.loan()
    await eventually(lambda: receiver.deliveries)
    headers, body = receiver.deliveries[0]
    assert parse_hook(headers, body) == HookEvent("LOAN", "APPROVE", loan_id, "default")
