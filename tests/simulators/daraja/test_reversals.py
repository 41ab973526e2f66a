"""Reversals that M-Pesa refuses, and Results that are lost, late, doubled or in texts."""

from typing import Any

import pytest

from models.messages.saga.reports import Report
from providers.daraja.wire import parse_reversal_result
from simulators.daraja.models import SHORTCODES
from tests.providers.daraja.bench import SHORTCODE
from tests.providers.daraja.desk import TILL, Desk


async def result(desk: Desk, number: int = 1) -> Report:
    return parse_reversal_result((await desk.arrived("back", number))[number - 1].body)


async def back(desk: Desk, receipt: str, amount: str = "1500", **credentials: Any) -> Report:
    await desk.client(**credentials).reverse(desk.reversal(receipt, amount))
    return await result(desk)


async def test_an_unknown_receipt_or_another_accounts_is_invalid(desk: Desk) -> None:
    assert (await back(desk, "UKL9M2T4VC")).code == "R000002"
    receipt = (await desk.pay(shortcode=TILL))["receipt"]
    await desk.client().reverse(desk.reversal(receipt))
    assert (await result(desk, 2)).code == "R000002"
    await desk.client(stk_party_b=TILL).reverse(desk.reversal(receipt))
    assert (await result(desk, 3)).state == "paid"


@pytest.mark.parametrize(
    ("amount", "credentials", "code", "operator"),
    [("1400", {}, "25", True), ("1500", {"initiator_password": "expired"}, "2001", True)],
)
async def test_a_reversal_outside_the_rules_fails_by_its_code(
    desk: Desk, amount: str, credentials: dict[str, Any], code: str, operator: bool
) -> None:
    receipt = (await desk.pay())["receipt"]
    failed = await back(desk, receipt, amount, **credentials)
    assert (failed.state, failed.code, failed.operator_needed) == ("failed", code, operator)
    assert ([row["reversed"] for row in desk.collected()], desk.utility()) == ([False], "501500.00")


async def test_money_that_is_gone_cannot_go_back(desk: Desk) -> None:
    receipt = (await desk.pay())["receipt"]
    documents = desk.bench.world.documents
    account = documents.get(SHORTCODES, SHORTCODE)
    assert account is not None
    documents.put(SHORTCODES, SHORTCODE, {**account, "utility": 149_999})
    failed = await back(desk, receipt)
    assert (failed.state, failed.code, failed.retriable) == ("failed", "1", True)


async def test_a_scripted_refusal_is_accepted_first(desk: Desk) -> None:
    receipt = (await desk.pay())["receipt"]
    desk.bench.fault("daraja.reversal.send", "refuse", code="21")
    assert (await back(desk, receipt)).code == "21"


async def test_results_are_lost_doubled_late_or_in_texts(desk: Desk) -> None:
    receipts = [(await desk.pay())["receipt"] for _ in range(4)]
    client = desk.client()
    for action, receipt in zip(("lose", "duplicate", "as_strings", "late"), receipts, strict=True):
        desk.bench.fault("daraja.reversal.result", action, seconds=0.3)
        await client.reverse(desk.reversal(receipt))
    came = await desk.arrived("back", 4)
    assert all(row["reversed"] for row in desk.collected())
    assert receipts[0] not in str([callback.body for callback in came])
    assert {parse_reversal_result(callback.body).state for callback in came} == {"paid"}
    assert came[3].path == desk.reversal(receipts[3]).result_url.split("/cb/")[1]
