"""What the simulated hooks deliver, and how deliveries go wrong (fineract.md 12)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulators.fineract.bank import Bank, disburse_body
from tests.simulators.fineract.receiver import Receiver, receiving
from tests.support.waiting import eventually


@pytest.fixture
async def receiver(bank: Bank) -> AsyncIterator[Receiver]:
    """A receiver that the bank has a hook to."""
    async with receiving() as receiver:
        events = [{"entityName": "LOAN", "actionName": name} for name in ("APPROVE", "DISBURSE")]
        config = {"Payload URL": receiver.url, "Content Type": "json"}
        body = {"name": "Web", "isActive": True, "displayName": "test", "events": events, "config": config}
        assert (await bank.call("POST", "/hooks", body)).status_code == 200
        yield receiver


async def delivered(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    await eventually(lambda: len(receiver.deliveries) >= count)
    return [json.loads(body) for _, body in receiver.deliveries]


async def test_an_approval_is_told_without_signature_and_with_the_loan(bank: Bank, receiver: Receiver) -> None:
    loan_id = await bank.loan()
    [event] = await delivered(receiver, 1)
    headers = receiver.deliveries[0][0]
    named = {name: value for name, value in headers.items() if name.lower().startswith(("x-", "fineract"))}
    assert {name.lower(): value for name, value in named.items()} == {
        "x-fineract-entity": "LOAN",
        "x-fineract-action": "APPROVE",
        "x-fineract-endpoint": "http://simulated/fineract-provider/api/v1",
        "fineract-platform-tenantid": "default",
    }
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert (event["response"]["loanId"], event["officeId"]) == (loan_id, 1)
    assert event["response"]["changes"]["status"]["id"] == 200


async def test_a_failed_command_fires_the_same_event_without_a_response(bank: Bank, receiver: Receiver) -> None:
    loan_id = await bank.loan(status="submitted")
    await bank.command(loan_id, "disburse", disburse_body())
    [event] = await delivered(receiver, 1)
    assert (event["entityName"], event["actionName"], "response" in event) == ("LOAN", "DISBURSE", False)


async def test_deliveries_are_lost_doubled_delayed_or_errors_as_scripted(bank: Bank, receiver: Receiver) -> None:
    await bank.fault("fineract.hook", "lose", match={"action": "APPROVE"})
    await bank.loan()
    await bank.fault("fineract.hook", "error_event")
    await bank.loan()
    [error] = await delivered(receiver, 1)
    assert "response" not in error
    await bank.fault("fineract.hook", "duplicate")
    twice = await bank.loan()
    events = await delivered(receiver, 3)
    assert [event["response"]["loanId"] for event in events[1:]] == [twice, twice]
    await bank.fault("fineract.hook", "late", options={"seconds": 0.3})
    late, soon = await bank.loan(), await bank.loan()
    events = await delivered(receiver, 5)
    assert [event["response"]["loanId"] for event in events[3:]] == [soon, late]


async def test_a_loan_can_be_made_without_an_event_and_other_tenants_fire_nothing_here(
    bank: Bank, receiver: Receiver
) -> None:
    await bank.tenant("faulu")
    await bank.loan(hook=False)
    await bank.loan(tenant="faulu")
    last = await bank.loan()
    await asyncio.sleep(0.1)
    assert [event["response"]["loanId"] for event in await delivered(receiver, 1)] == [last]


async def test_a_replayed_command_fires_once(bank: Bank, receiver: Receiver) -> None:
    loan_id = await bank.loan(hook=False)
    for _ in range(2):
        assert (await bank.command(loan_id, "disburse", disburse_body(), key="k1")).status_code == 200
    await asyncio.sleep(0.1)
    assert len(await delivered(receiver, 1)) == 1


async def test_a_deleted_hook_is_gone(bank: Bank, receiver: Receiver) -> None:
    [hook] = (await bank.call("GET", "/hooks")).json()
    assert {"fieldName": "Payload URL", "fieldValue": receiver.url} in hook["config"]
    assert (await bank.call("DELETE", f"/hooks/{hook['id']}")).status_code == 200
    assert (await bank.call("GET", f"/hooks/{hook['id']}")).status_code == 404
    await bank.loan()
    await asyncio.sleep(0.1)
    assert receiver.deliveries == []
