"""Hooks of customers' payments: what is read from them, and what a simulated bank delivers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from providers.fineract.wire import HookEvent, parse_hook
from tests.simulators.fineract.bank import KINDS, PAYING, Bank, golden, payment
from tests.simulators.fineract.receiver import Receiver, receiving
from tests.support.waiting import eventually

EVENTS = {"loan": ("LOAN", "REPAYMENT"), "savings": ("SAVINGSACCOUNT", "DEPOSIT")}

both_kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
async def receiver(bank: Bank) -> AsyncIterator[Receiver]:
    """A receiver that the bank tells of payments."""
    async with receiving() as receiver, bank.fineract() as fineract:
        await fineract.register_hook(receiver.url, list(EVENTS.values()))
        yield receiver


def headers(entity: str, action: str) -> dict[str, str]:
    return {"X-Fineract-Entity": entity, "X-Fineract-Action": action, "Fineract-Platform-TenantId": "default"}


def test_a_repayment_names_the_loan_and_its_transaction() -> None:
    body = json.dumps(golden("hook_loan_repayment"), default=str)
    expected = HookEvent("LOAN", "REPAYMENT", 91, "default", None, 1611)
    assert parse_hook(headers("LOAN", "REPAYMENT"), body) == expected
    assert parse_hook({"fineract-platform-tenantid": "default"}, body) == expected


def test_a_deposit_names_the_account_and_its_transaction() -> None:
    body = json.dumps(golden("hook_savings_deposit"), default=str)
    assert parse_hook(headers("savingsaccount", "deposit"), body) == HookEvent(
        "SAVINGSACCOUNT", "DEPOSIT", None, "default", savings_id=17, transaction_id=702
    )


@pytest.mark.parametrize("name", ["hook_loan_repayment", "hook_savings_deposit"])
@pytest.mark.parametrize("response", ["a message", None, {}, [], {"commandId": 5, "rollbackTransaction": True}])
def test_a_failed_or_waiting_payment_names_nothing(name: str, response: Any) -> None:
    event = parse_hook({}, json.dumps(golden(name) | {"response": response}, default=str))
    assert (event.loan_id, event.savings_id, event.transaction_id) == (None, None, None)


def test_the_resource_of_another_event_is_not_taken_for_a_transaction() -> None:
    body = json.dumps(golden("hook_loan_approved"), default=str)
    assert parse_hook({}, body).transaction_id is None
    disbursed = json.dumps({"response": {"loanId": 91, "resourceId": 91, "subResourceId": 1503}})
    assert parse_hook(headers("LOAN", "DISBURSE"), disbursed) == HookEvent("LOAN", "DISBURSE", 91, "default")


@both_kinds
async def test_a_booked_payment_arrives_and_can_be_read(bank: Bank, receiver: Receiver, kind: Any) -> None:
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment(kind, account_id))
        await eventually(lambda: receiver.deliveries)
        event = parse_hook(*receiver.deliveries[0])
        assert (event.entity, event.action) == EVENTS[kind]
        assert (event.savings_id if kind == "savings" else event.loan_id) == account_id
        assert event.transaction_id == posted.transaction_id
        recorded = await fineract.recorded_payment(kind, account_id, event.transaction_id or 0)
    assert recorded.receipt == f"SFU{account_id}B2C3D4"


@both_kinds
@pytest.mark.parametrize("action", ["refuse", "maker_checker"])
async def test_a_refused_or_waiting_payment_fires_without_naming_anything(
    bank: Bank, receiver: Receiver, kind: Any, action: str
) -> None:
    account_id = await bank.payable(kind)
    await bank.fault(PAYING[kind], action)
    await bank.pay(kind, account_id, {"anything": 1})
    await eventually(lambda: receiver.deliveries)
    event = parse_hook(*receiver.deliveries[0])
    assert (event.entity, event.action) == EVENTS[kind]
    assert (event.loan_id, event.savings_id, event.transaction_id) == (None, None, None)
