"""The SMS report: what was sent, through whom, what arrived and what it cost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.ids import NOTIFICATION, new_id
from models.tables.platform.traffic import Notification
from tests.api.conftest import Door

REPORT = "/api/v1/reports/sms"


async def write(door: Door, partner_id: str, number: int = 1, **values: Any) -> None:
    now = utc_now()
    facts: dict[str, Any] = {
        "event": "loan_paid", "channel": "sms", "recipient": "+254712000111", "text": "Habari", "state": "sent",
        "gateway": "africastalking", "tried": [], "attempts": 1, "next_attempt_at": now, "created_at": now,
        "sent_at": now, "delivery": "delivered", "segments": 1, "cost": "KES 0.8000", **values,
    }  # fmt: skip
    async with door.database.transaction() as session:
        for _ in range(number):
            session.add(Notification(id=new_id(NOTIFICATION), key=new_id("k"), partner_id=partner_id, **facts))


async def items(visitor: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await visitor.get(REPORT, params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_messages_are_counted_with_segments_and_exact_costs(door: Door) -> None:
    partner_id = await door.lender()
    await write(door, partner_id, 3)
    await write(door, partner_id, segments=2, cost="KES 1.6000")
    await write(door, partner_id, cost="KES 0.8000 + KES 0.8000")
    await write(door, partner_id, cost="UGX 35.0000")
    await write(door, partner_id, cost="0")
    await write(door, partner_id, state="failed", gateway=None, delivery=None, cost=None, segments=1)
    await write(
        door, partner_id, event="low_balance", channel="email", gateway="smtp", delivery=None, cost=None, segments=None
    )
    base = {"event": "loan_paid", "channel": "sms"}
    assert await items(door.admin) == [
        base | {"gateway": None, "state": "failed", "delivery": None, "number": 1, "segments": 1, "costs": {}},
        base
        | {"gateway": "africastalking", "state": "sent", "delivery": "delivered", "number": 7, "segments": 8,
           "costs": {"KES": "5.6000", "UGX": "35.0000"}},
        {"event": "low_balance", "channel": "email", "gateway": "smtp", "state": "sent", "delivery": None, "number": 1,
         "segments": 0, "costs": {}},
    ]  # fmt: skip


async def test_waiting_too_long_for_a_report_is_silence(door: Door) -> None:
    partner_id = await door.lender()
    long_ago = utc_now() - timedelta(days=1, minutes=1)
    await write(door, partner_id, delivery="awaited")
    await write(door, partner_id, delivery="awaited", sent_at=long_ago)
    await write(door, partner_id, delivery="progress", sent_at=long_ago)
    await write(door, partner_id, delivery="delivered", sent_at=long_ago)
    await write(door, partner_id, delivery=None, gateway="damza", sent_at=long_ago)
    assert {(item["gateway"], item["delivery"]): item["number"] for item in await items(door.admin)} == {
        ("africastalking", "awaited"): 1,
        ("africastalking", "delivered"): 1,
        ("africastalking", "silent"): 2,
        ("damza", None): 1,
    }


async def test_a_period_holds_its_beginning_and_not_its_end(door: Door) -> None:
    partner_id = await door.lender()
    for day in (1, 2, 3):
        await write(door, partner_id, created_at=datetime(2026, 11, day, tzinfo=UTC))
    found = await items(door.admin, since="2026-11-01T00:00:00Z", until="2026-11-03T00:00:00Z")
    assert [item["number"] for item in found] == [2]
    assert await items(door.admin, since="2026-11-01T03:00:00+02:00", until="2026-11-02T00:00:00Z") == []


async def test_a_partners_key_counts_its_own_messages_alone(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    await write(door, mine, 2)
    await write(door, theirs, 3)
    reader = await door.key("disbursements:read", partner_id=mine)
    assert [item["number"] for item in await items(reader)] == [2]
    assert [item["number"] for item in await items(reader, partner_id=mine)] == [2]
    assert (await reader.get(REPORT, params={"partner_id": theirs})).status_code == 404
    assert [item["number"] for item in await items(door.admin)] == [5]
    assert [item["number"] for item in await items(door.admin, partner_id=theirs)] == [3]
    other = await door.key("wallets:read", partner_id=mine)
    assert (await other.get(REPORT)).status_code == 403
    assert (await door.visitor().get(REPORT)).status_code == 401


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-02T00:00:00Z"}, "since"),
        ({"since": "2024-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z"}, "since"),
        ({"since": "2026-11-01T00:00:00"}, "since"),
        ({"until": "soon"}, "until"),
        ({"partner_id": "prt_1"}, "partner_id"),
        ({"from": "2026-11-01T00:00:00Z"}, "from"),
    ],
)
async def test_a_wrong_period_is_refused_by_field(door: Door, params: dict[str, str], field: str) -> None:
    answer = await door.admin.get(REPORT, params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
