"""Monitoring counts what there is, says what is missing, and shows each key no more than it may read."""

from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, update

from core.clock import utc_now
from core.ids import NOTIFICATION, first_id, new_id
from core.money import Money
from ledger import chart
from ledger.posting import post
from ledger.transfers import Post
from models.tables.base import table_of
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.pulse import Pulse
from models.tables.platform.traffic import Notification, ProviderExchange
from models.tables.saga.payout_attempt import PayoutAttempt
from store.platform import provider_balances
from store.saga import funds_waits
from tests.api.conftest import Door
from tests.support.payments import paid_loan, paybill


async def look(visitor: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await visitor.get("/api/v1/monitoring", params=given)
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()
    return seen


async def put(door: Door, model: Any, *rows: dict[str, Any]) -> None:
    async with door.database.transaction() as session:
        await (await session.connection()).execute(insert(table_of(model)), list(rows))


def exchange(partner_id: str, outcome: str, at: datetime, provider: str = "daraja") -> dict[str, Any]:
    return {
        "provider": provider, "operation": "b2c", "partner_id": partner_id, "method": "POST", "url": "/b2c", "request": {},
        "response": {}, "outcome": outcome, "duration_ms": 200, "started_at": at,
    }  # fmt: skip


async def test_rates_count_each_payment_in_each_window_that_it_fell_into(door: Door) -> None:
    partner_id = await door.lender()
    ago = {1: timedelta(minutes=5), 2: timedelta(hours=5), 3: timedelta(days=3), 4: timedelta(days=8)}
    for loan_id, age in ago.items():
        loan = await paid_loan(door.database, partner_id, loan_id, receipt=f"RECEIPT00{loan_id}")
        asked = utc_now() - age
        async with door.database.transaction() as session:
            table = table_of(Disbursement)
            changed = update(table).where(table.c.id == loan["id"])
            row_id = first_id("dsb", asked)[:-4] + f"000{loan_id}"
            await session.exec(changed.values(id=row_id, created_at=asked))
    await paid_loan(door.database, partner_id, 5, receipt=None, stage="failed")
    await paid_loan(door.database, partner_id, 6, receipt=None, stage="withdrawn")
    await paybill(door.database, partner_id, "QAB1CDE2FG")
    seen = {(rate["kind"], rate["hours"]): rate for rate in (await look(door.admin))["rates"]}
    loans = [seen["loan-disbursement", hours] for hours in (1, 24, 168)]
    assert [(rate["completed"], rate["failed"], rate["cancelled"], rate["under_way"]) for rate in loans] == [
        (1, 1, 1, 0), (2, 1, 1, 0), (3, 1, 1, 0),
    ]  # fmt: skip
    assert [rate["success"] for rate in loans] == [0.5, 0.6667, 0.75]
    assert seen["customer-collection", 1]["under_way"] == 1
    assert seen["wallet-top-up", 168]["success"] is None


async def test_wallets_floats_and_what_is_missing_for_whom(door: Door) -> None:
    partner_id = await door.lender()
    wallet = chart.partner_wallet(partner_id, "KES")
    async with door.database.transaction() as session:
        await post(session, Post("k", chart.bank_funding("KES"), wallet, Money(10_000, "KES"), "test"))
        told = {"Utility Account": Money(500_000, "KES")}
        await provider_balances.tell(session, partner_id, "daraja", told, utc_now())
        for number in range(3):
            await funds_waits.join(
                session, workflow_id=f"loan-disbursement/{partner_id}/{number}", partner_id=partner_id,
                account_id=wallet.id, needed_minor=30_000, asked_at=utc_now(),
            )  # fmt: skip
    seen = await look(door.admin)
    (short,), (shown,), (float_,) = seen["short"], seen["wallets"], seen["floats"]
    assert (short["lender"], short["says"]) == ("Jaza Sacco", "short by KES 800.00 for 3 payments")
    assert (shown["available"]["amount"], shown["low"]) == ("100.00", False)
    assert (float_["account"], float_["balance"]["amount"]) == ("Utility Account", "5000.00")
    assert seen["problems"] == {"waiting_funds": 3}


async def test_a_provider_whose_last_calls_all_failed_is_an_outage_and_one_that_refuses_is_not(door: Door) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    now = utc_now()
    down = [exchange(jaza, "not_reached", now - timedelta(minutes=minute)) for minute in range(1, 7)]
    await put(
        door, ProviderExchange, exchange(jaza, "ok", now - timedelta(minutes=30)), *down,
        *(exchange(jaza, "http_403", now - timedelta(minutes=minute), "fineract") for minute in range(1, 9)),
    )  # fmt: skip
    seen = await look(door.admin)
    (outage,) = seen["outages"]
    assert (outage["provider"], outage["lender"], outage["in_a_row"]) == ("daraja", "Jaza Sacco", 6)
    assert (outage["last_failure"], outage["everywhere"]) == ("not_reached", False)
    assert outage["since"] == (now - timedelta(minutes=6)).isoformat().replace("+00:00", "Z")
    connections = {(one["partner_id"], one["provider"]): one for one in seen["connections"]}
    assert connections[jaza, "daraja"]["failed_calls"] == 6
    assert (connections[jaza, "fineract"]["calls"], connections[jaza, "fineract"]["failed_calls"]) == (8, 0)
    assert (await look(door.admin, partner_id=other))["outages"] == []
    await put(door, ProviderExchange, exchange(jaza, "ok", now))
    assert (await look(door.admin))["outages"] == []
    # Nobody has had an answer for an hour.
    await put(door, ProviderExchange, *(exchange(other, "http_503", now, "bank") for _ in range(5)))
    (outage,) = (await look(door.admin))["outages"]
    assert (outage["provider"], outage["everywhere"]) == ("bank", True)


async def test_messages_queues_schedules_and_the_oldest_unknown_are_told(door: Door) -> None:
    partner_id = await door.lender()
    now = utc_now()

    def message(state: str, delivery: str | None, sent: timedelta = timedelta(0)) -> dict[str, Any]:
        return {
            "id": new_id(NOTIFICATION), "key": new_id("key"), "event": "loan_paid", "channel": "sms",
            "partner_id": partner_id, "recipient": "+254700000001", "text": "x", "state": state, "delivery": delivery,
            "tried": [], "attempts": 1, "next_attempt_at": now, "created_at": now - timedelta(hours=1), "sent_at": now - sent,
        }  # fmt: skip

    await put(
        door, Notification, message("sent", "delivered"), message("sent", "failed"), message("failed", None),
        message("sent", "awaited", timedelta(days=2)), message("pending", None),
    )  # fmt: skip
    await put(
        door, Pulse, {"name": "sweep", "every_seconds": 30, "ran_at": now - timedelta(minutes=5)},
        {"name": "retention", "every_seconds": 86_400, "ran_at": now},
    )  # fmt: skip
    loan = await paid_loan(door.database, partner_id, receipt=None, stage="paying", ended=False)
    async with door.database.transaction() as session:
        await session.exec(update(table_of(PayoutAttempt)).values(updated_at=now - timedelta(minutes=9)))
    seen = await look(door.admin)
    assert seen["messages"] == [
        {"channel": "sms", "sent": 3, "delivered": 1, "undelivered": 1, "silent": 1, "failed": 1, "unclear": 0, "waiting": 1}
    ]  # fmt: skip
    assert [(one["schedule"], one["late"]) for one in seen["schedules"]] == [("sweep", True), ("retention", False)]
    assert {one["queue"] for one in seen["queues"]} >= {"kivuko-flows", "kivuko-mpesa"}
    assert all(one["known"] for one in seen["queues"])
    assert seen["oldest_unknown"]["reference"] == loan["attempt"]
    assert seen["problems"] == {"message": 2, "schedule": 1, "unknown_outcome": 1}


async def test_without_temporal_the_rest_is_told(door: Door) -> None:
    async with door.without_temporal():
        seen = await look(door.admin)
    assert [one["known"] for one in seen["queues"]] == [False] * len(seen["queues"])
    assert seen["queues"]


async def test_a_lender_sees_its_own_and_each_key_what_it_may_read(door: Door) -> None:
    jaza, other = await door.lender(), await door.lender("Other Sacco")
    now = utc_now()
    await paid_loan(door.database, jaza, receipt=None, stage="paying", ended=False)
    await put(door, ProviderExchange, *(exchange(jaza, "not_reached", now) for _ in range(5)))
    await put(
        door, Pulse, {"name": "sweep", "partner_id": None, "every_seconds": 30, "ran_at": now},
        {"name": f"loan-watch/{jaza}", "partner_id": jaza, "every_seconds": 300, "ran_at": now},
    )  # fmt: skip
    async with door.database.transaction() as session:
        wallet = chart.partner_wallet(jaza, "KES")
        await post(session, Post("k", chart.bank_funding("KES"), wallet, Money(10_000, "KES"), "test"))
    everything = ("disbursements:read", "collections:read", "top-ups:read", "float-purchases:read", "partners:read",
                  "wallets:read")  # fmt: skip
    ours = await look(await door.key(*everything, partner_id=jaza))
    assert {one["partner_id"] for part in ("wallets", "connections", "outages", "schedules") for one in ours[part]} == {
        jaza
    }
    assert ours["queues"] == []
    theirs = await look(await door.key(*everything, partner_id=other))
    assert {one["partner_id"] for one in theirs["connections"]} == {other}
    for part in ("wallets", "outages", "schedules", "queues", "messages", "short", "floats"):
        assert theirs[part] == [], part
    assert sum(rate["under_way"] for rate in theirs["rates"]) == 0
    refused = await (await door.key(*everything, partner_id=other)).get(
        "/api/v1/monitoring", params={"partner_id": jaza}
    )
    assert refused.status_code == 404
    little = await look(await door.key("collections:read"))
    assert {rate["kind"] for rate in little["rates"]} == {"customer-collection"}
    for part in ("wallets", "connections", "outages", "schedules", "queues", "messages", "short", "floats", "problems"):
        assert not little[part], part
    assert (await door.visitor().get("/api/v1/monitoring")).status_code == 401


@pytest.mark.parametrize("given", [{"partner_id": "%"}, {"hours": "1"}])
async def test_a_parameter_that_means_nothing_is_refused(shared_door: Door, given: dict[str, str]) -> None:
    answer = await shared_door.admin.get("/api/v1/monitoring", params=given)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(given)


def test_the_first_id_of_a_moment_stands_before_all_that_are_made_after_it() -> None:
    before = utc_now() - timedelta(milliseconds=5)
    assert first_id("dsb", before) < new_id("dsb") < first_id("dsb", utc_now() + timedelta(milliseconds=5))
