"""M-Pesa's callbacks: stored before they are answered, once each, and a forged one changes nothing (P3)."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from core.clock import utc_now
from core.crypto import CallbackRoute, CallbackSigner
from models.tables.platform.connection import Connection
from models.tables.platform.provider_balance import ProviderBalance
from models.tables.platform.traffic import InboxItem
from tests.api.conftest import Door

GOLDEN = Path(__file__).parents[2] / "golden" / "daraja"
REPLY = {"ResultCode": 0, "ResultDesc": "Accepted"}


def golden(name: str, reference: str) -> Any:
    """A sample of Safaricom's, speaking of our reference."""
    body = json.loads((GOLDEN / f"{name}.json").read_text())
    body = body.get("body", body)
    if name.startswith("result"):
        body["Result"]["OriginatorConversationID"] = reference
    return body


async def daraja(door: Door) -> Connection:
    (row,) = [row for row in await door.rows(Connection) if row.provider == "daraja"]
    assert isinstance(row, Connection)
    return row


async def item(door: Door) -> InboxItem:
    (row,) = await door.rows(InboxItem)
    assert isinstance(row, InboxItem)
    return row


async def test_a_result_is_stored_for_the_reference_of_its_address(door: Door) -> None:
    route = await door.attempt(await door.lender())
    answer = await door.visitor().post(door.callback_path(route, "out"), json=golden("result_paid", route.reference))
    assert (answer.status_code, answer.json()) == (200, REPLY)
    stored = await item(door)
    assert (stored.provider, stored.kind, stored.reference) == ("daraja", "result", route.reference)
    assert stored.workflow_id == route.workflow_id
    assert (stored.report["state"], stored.report["source"]) == ("paid", "callback")
    assert stored.report["reference"] == route.reference
    assert stored.report["receipt"]
    # Nobody waits for it: delivery was tried, and it became a case for a person.
    assert stored.outcome == "unclaimed"
    assert [case["kind"] for case in (await door.admin.get("/api/v1/cases")).json()["items"]] == ["report_unclaimed"]


async def test_the_stored_body_holds_no_phone_number_and_no_name(door: Door) -> None:
    route = await door.attempt(await door.lender())
    body = golden("result_paid", route.reference)
    assert "2547" in json.dumps(body)
    await door.visitor().post(door.callback_path(route, "out"), json=body)
    kept = json.dumps((await item(door)).body)
    assert "254712345678" not in kept
    assert "WANJIRU" not in kept.upper()


async def test_a_callback_that_comes_twice_is_stored_once(door: Door) -> None:
    route = await door.attempt(await door.lender())
    body = golden("result_paid", route.reference)
    visitor = door.visitor()
    path = door.callback_path(route, "out")
    answers = await asyncio.gather(*(visitor.post(path, json=body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await item(door)).copies == 5
    numbers = (await visitor.get("/metrics")).text
    assert 'kivuko_callbacks_total{kind="result",outcome="stored"} 1.0' in numbers
    assert 'kivuko_callbacks_total{kind="result",outcome="copy"} 4.0' in numbers


async def test_a_contradiction_is_another_callback(door: Door) -> None:
    route = await door.attempt(await door.lender())
    for name in ("result_paid", "result_failed"):
        await door.visitor().post(door.callback_path(route, "out"), json=golden(name, route.reference))
    assert sorted(row.report["state"] for row in await door.rows(InboxItem)) == ["failed", "paid"]


@pytest.mark.parametrize("kind", ["out", "out-late", "ask", "level"])
async def test_a_forged_callback_changes_nothing(door: Door, kind: str) -> None:
    route = await door.attempt(await door.lender())
    honest = door.callback_path(route, kind)
    other = CallbackSigner(["another secret"]).sign(route)
    hexed, mac = honest.split("/")[2:4]
    for path in (
        f"/cb/{other}/{kind}",
        honest.replace(mac, "0" * 32),
        honest.replace(hexed, CallbackRoute("loan-disbursement/x/1", route.reference).workflow_id.encode().hex()),
        honest.replace(hexed, hexed.upper()),
        f"/cb/zz/%C3%A9/{kind}",
    ):
        answer = await door.visitor().post(path, json=golden("result_paid", route.reference))
        assert answer.status_code == 404, path
    assert await door.rows(InboxItem) == []
    assert await door.rows(ProviderBalance) == []
    name = {"out": "result", "out-late": "timeout", "ask": "status", "level": "balance"}[kind]
    assert f'kind="{name}",outcome="forged"}} 5.0' in (await door.visitor().get("/metrics")).text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"\xff\xfe\x00",
        b'{"Result": "\\u0000"}',
        b'{"Result": {"ResultCode": "\\ud800"}}',
        b"[]",
        b"[" * 100_000,
        b'{"Result": {}}',
        b'{"Result": {"ResultCode": NaN, "x": Infinity}}',
    ],
)
async def test_a_body_that_cannot_be_read_is_kept_as_unclear(door: Door, raw: bytes) -> None:
    route = await door.attempt(await door.lender())
    answer = await door.visitor().post(door.callback_path(route, "out"), content=raw)
    assert (answer.status_code, answer.json()) == (200, REPLY)
    report = (await item(door)).report
    assert report["state"] == "unclear"
    assert report["reference"] == route.reference


async def test_garbled_bodies_of_two_payments_are_two_items(door: Door) -> None:
    partner_id = await door.lender()
    for _ in range(2):
        route = await door.attempt(partner_id)
        await door.visitor().post(door.callback_path(route, "out"), content=b"")
    assert len(await door.rows(InboxItem)) == 2


async def test_notices_without_an_id_of_two_payments_are_two_items(door: Door) -> None:
    partner_id = await door.lender()
    body = {"CommandID": "BusinessPayment", "PartyB": "254712345678", "Amount": "1250"}
    for _ in range(2):
        route = await door.attempt(partner_id)
        await door.visitor().post(door.callback_path(route, "out-late"), json=body)
    rows = await door.rows(InboxItem)
    assert [(row.report["state"], row.report["source"]) for row in rows] == [("unclear", "timeout_notice")] * 2


async def test_a_v3_result_that_names_another_payment_is_believed_in_nothing(door: Door) -> None:
    route = await door.attempt(await door.lender())
    body = golden("result_paid", "pay_somebodyelses-a1")
    assert (await door.visitor().post(door.callback_path(route, "out"), json=body)).status_code == 200
    report = (await item(door)).report
    assert (report["state"], report["code"]) == ("unclear", "reference_differs")
    assert (report["reference"], report["receipt"]) == (route.reference, None)


async def test_on_v1_the_id_in_a_result_is_darajas_own_and_not_compared(door: Door) -> None:
    route = await door.attempt(await door.lender())
    row = await daraja(door)
    async with door.database.transaction() as session:
        await session.exec(
            update(Connection)
            .where(col(Connection.id) == row.id)
            .values(settings={**row.settings, "b2c_version": "v1"})
        )
    body = golden("result_paid", "AG_20261121_2010aa41c07be9d35f62")
    await door.visitor().post(door.callback_path(route, "out"), json=body)
    assert (await item(door)).report["state"] == "paid"


async def test_a_status_answer_speaks_of_the_reference_that_was_asked_for(door: Door) -> None:
    route = await door.attempt(await door.lender())
    body = golden("status_completed", "")
    await door.visitor().post(door.callback_path(route, "ask"), json=body)
    report = (await item(door)).report
    assert (report["reference"], report["state"], report["source"]) == (route.reference, "paid", "query")


async def refused_initiator(door: Door, route: CallbackRoute) -> None:
    body = golden("result_failed", route.reference)
    body["Result"]["ResultCode"] = 2001  # the initiator information is invalid (daraja.md 3.7)
    await door.visitor().post(door.callback_path(route, "out"), json=body)
    assert (await item(door)).report["operator_needed"] is True


async def test_a_refused_initiator_blocks_the_connection_before_the_next_send(door: Door) -> None:
    route = await door.attempt(await door.lender())
    await refused_initiator(door, route)
    row = await daraja(door)
    assert row.status == "blocked"
    assert row.check_detail


async def test_a_late_result_of_old_credentials_does_not_block_the_new_ones(door: Door) -> None:
    route = await door.attempt(await door.lender())
    async with door.database.transaction() as session:
        later = utc_now() + timedelta(seconds=1)
        await session.exec(update(Connection).values(updated_at=later, version=2))
    await refused_initiator(door, route)
    assert (await daraja(door)).status == "ok"


async def test_a_result_tells_the_balances_of_the_partners_accounts(door: Door) -> None:
    partner_id = await door.lender()
    route = await door.attempt(partner_id)
    await door.visitor().post(door.callback_path(route, "out"), json=golden("result_paid", route.reference))
    answer = await door.admin.get(f"/api/v1/partners/{partner_id}/provider-balances")
    assert "Utility Account" in [row["account"] for row in answer.json()["items"]]


async def test_a_balance_answer_is_kept_and_an_old_result_does_not_overwrite_it(door: Door) -> None:
    partner_id = await door.lender()
    asked = CallbackRoute(f"balance/{partner_id}", partner_id)
    answer = await door.visitor().post(door.callback_path(asked, "level"), json=golden("balance", ""))
    assert (answer.status_code, answer.json()) == (200, REPLY)
    told = (await door.admin.get(f"/api/v1/partners/{partner_id}/provider-balances")).json()["items"]
    assert len(told) >= 2
    route = await door.attempt(partner_id)
    await door.visitor().post(door.callback_path(route, "out"), json=golden("result_paid", route.reference))
    again = (await door.admin.get(f"/api/v1/partners/{partner_id}/provider-balances")).json()["items"]
    assert {row["account"]: row["balance"] for row in told}.items() <= {
        row["account"]: row["balance"] for row in again
    }.items()


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"Result": {"ResultCode": 0, "ResultParameters": null}}'])
async def test_a_balance_answer_that_cannot_be_read_is_taken_and_tells_nothing(door: Door, raw: bytes) -> None:
    partner_id = await door.lender()
    asked = CallbackRoute(f"balance/{partner_id}", partner_id)
    answer = await door.visitor().post(door.callback_path(asked, "level"), content=raw)
    assert answer.status_code == 200
    assert await door.rows(ProviderBalance) == []


async def test_an_address_for_balances_takes_no_payout_and_the_reverse(door: Door) -> None:
    partner_id = await door.lender()
    route, asked = await door.attempt(partner_id), CallbackRoute(f"balance/{partner_id}", partner_id)
    for path in (door.callback_path(route, "level"), door.callback_path(asked, "out")):
        assert (await door.visitor().post(path, json={})).status_code == 404
    assert await door.rows(InboxItem) == []


async def test_a_callback_is_taken_while_temporal_is_away_and_waits_in_the_inbox(door: Door) -> None:
    route = await door.attempt(await door.lender())
    async with door.without_temporal():
        answer = await door.visitor().post(
            door.callback_path(route, "out"), json=golden("result_paid", route.reference)
        )
    assert answer.status_code == 200
    stored = await item(door)
    assert (stored.outcome, stored.delivered_at) == ("waiting", None)


async def test_a_body_above_the_limit_is_refused(door: Door) -> None:
    route = await door.attempt(await door.lender())
    body = b"x" * (door.settings.api.max_body_bytes + 1)
    assert (await door.visitor().post(door.callback_path(route, "out"), content=body)).status_code == 413
