"""Personal data go after their time; what the books and the next copy of a callback need stays."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from core.clock import utc_now
from core.ids import INBOX, INCOMING, NOTIFICATION, new_id
from core.settings import Retention
from models.messages.inbound import Reading
from models.tables.base import table_of
from models.tables.lending.customer_collection import Collection
from models.tables.platform.security import IdempotencyKey
from models.tables.platform.traffic import InboxItem, Notification, ProviderExchange
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.prompt import Prompt
from store.database import Database
from store.platform import inbox, retention
from store.platform.retention import Pass

POLICY = Retention(bodies_days=180, exchanges_days=395, messages_days=395, payers_days=395, idempotency_days=30)
WHOLE = timedelta(minutes=1)
PHONE, NAME = "+254711000222", "WANJIRU ACHIENG"


def ago(days: float) -> datetime:
    return utc_now() - timedelta(days=days)


async def put(database: Database, model: Any, *rows: dict[str, Any]) -> None:
    async with database.transaction() as session:
        for row in rows:
            await (await session.connection()).execute(insert(table_of(model)).values(row))


async def rows(database: Database, model: Any) -> list[dict[str, Any]]:
    async with database.transaction() as session:
        table = table_of(model)
        found = await (await session.connection()).execute(select(table).order_by(*table.primary_key.columns))
        return [dict(row) for row in found.mappings()]


async def erase(database: Database) -> Pass:
    return await retention.erase(database, POLICY, within=WHOLE)


def webhook(external_id: str, received: datetime, *, delivered: bool = True) -> dict[str, Any]:
    return {
        "id": new_id(INBOX), "provider": "daraja", "kind": "confirm", "external_id": external_id, "reference": "ref",
        "body": {"MSISDN": PHONE, "FirstName": NAME}, "report": {"payer_phone": PHONE}, "source": "196.201.214.200",
        "received_at": received, "copies": 1, "attempts": 1, "next_attempt_at": received,
        "raw_sealed": "sealed",
        "delivered_at": received if delivered else None, "outcome": "taken" if delivered else "waiting",
    }  # fmt: skip


async def test_a_webhook_loses_its_body_but_stays_known_for_ever(database: Database) -> None:
    await put(
        database, InboxItem, webhook("old", ago(181)), webhook("young", ago(179)),
        webhook("stuck", ago(500), delivered=False),
    )  # fmt: skip
    assert (await erase(database)).erased["webhook_inbox"] == 1
    kept = {row["external_id"]: row for row in await rows(database, InboxItem)}
    assert (kept["old"]["body"], kept["old"]["report"], kept["old"]["source"]) == ({"erased": True}, {}, None)
    assert (kept["old"]["raw_sealed"], kept["young"]["raw_sealed"]) == (None, "sealed")
    # What no saga has taken yet is still needed, whatever its age.
    assert all(kept[name]["body"]["MSISDN"] == PHONE for name in ("young", "stuck"))
    async with database.transaction() as session:
        again = Reading(provider="daraja", kind="confirm", external_id="old", body={"MSISDN": PHONE}, report={})
        _, is_new = await inbox.store(session, again)
    assert is_new is False
    assert (await erase(database)).erased["webhook_inbox"] == 0


async def test_messages_lose_text_and_receiver(database: Database) -> None:
    def message(created: datetime, state: str) -> dict[str, Any]:
        return {
            "id": new_id(NOTIFICATION), "key": new_id("key"), "event": "loan_paid", "channel": "sms", "recipient": PHONE,
            "text": f"{NAME}, your loan is paid.", "subject": "Paid", "state": state, "tried": [], "attempts": 1,
            "next_attempt_at": created, "created_at": created, "cost": "KES 0.80",
        }  # fmt: skip

    await put(
        database, Notification, message(ago(396), "sent"), message(ago(396), "pending"), message(ago(394), "sent")
    )
    assert (await erase(database)).erased["notifications"] == 1
    states = sorted(
        (row["state"], row["recipient"] == PHONE, row["cost"]) for row in await rows(database, Notification)
    )
    assert states == [("pending", True, "KES 0.80"), ("sent", False, "KES 0.80"), ("sent", True, "KES 0.80")]
    assert sum(NAME in row["text"] for row in await rows(database, Notification)) == 2


async def test_payers_are_forgotten_once_their_payment_has_ended(database: Database, partner_id: str) -> None:
    old, young = ago(396), ago(10)

    def incoming(external_id: str, claimed_by: str | None) -> dict[str, Any]:
        return {
            "id": new_id(INCOMING), "partner_id": partner_id, "provider": "daraja", "external_id": external_id,
            "account": "600997", "amount_minor": 150_000, "currency": "KES", "reference": "ACC-7", "payer_name": NAME,
            "payer_phone": PHONE, "happened_at": old, "announced": ["push"], "claimed_by": claimed_by, "created_at": old,
            "updated_at": old,
        }  # fmt: skip

    def collection(workflow_id: str, ended: datetime | None) -> dict[str, Any]:
        return {
            "id": new_id("col"), "partner_id": partner_id, "workflow_id": workflow_id, "requested_by": "t",
            "stage": "completed" if ended else "in_review", "created_at": old, "updated_at": old, "ended_at": ended,
            "channel": "paybill", "currency": "KES", "amount_minor": 150_000, "account_ref": "ACC-7", "msisdn": PHONE,
            "receipt": f"R{workflow_id}", "allocations": [], "policy": {},
        }  # fmt: skip

    def prompt(reference: str, state: str, changed: datetime) -> dict[str, Any]:
        return {
            "reference": reference, "leg_id": reference, "workflow_id": "w", "partner_id": partner_id,
            "provider": "daraja", "amount_minor": 150_000, "currency": "KES", "msisdn": PHONE,
            "payer_reference": "ACC-7", "state": state, "created_at": changed, "updated_at": changed,
        }  # fmt: skip

    await put(
        database, IncomingPayment, incoming("ended", "w-ended"), incoming("recent", "w-recent"),
        incoming("open", "w-open"), incoming("nobodys", None),
    )  # fmt: skip
    await put(
        database, Collection, collection("w-ended", old), collection("w-recent", young), collection("w-open", None)
    )
    await put(
        database, Prompt, prompt("a", "paid", old), prompt("b", "failed", old), prompt("c", "unknown", old),
        prompt("d", "paid", young),
    )  # fmt: skip
    done = await erase(database)
    assert (done.erased["incoming_payments"], done.erased["collections"], done.erased["prompts"]) == (1, 1, 2)
    forgotten = {row["external_id"] for row in await rows(database, IncomingPayment) if row["payer_phone"] is None}
    assert forgotten == {"ended"}
    (ended,) = [row for row in await rows(database, IncomingPayment) if row["external_id"] == "ended"]
    assert (ended["payer_name"], ended["amount_minor"], ended["reference"]) == ("", 150_000, "ACC-7")
    assert {row["receipt"] for row in await rows(database, Collection)} == {"Rw-ended", "Rw-recent", "Rw-open"}
    assert {row["workflow_id"] for row in await rows(database, Collection) if row["msisdn"] is None} == {"w-ended"}
    assert {row["reference"] for row in await rows(database, Prompt) if row["msisdn"] is None} == {"a", "b"}


async def test_calls_and_repeated_requests_go_whole(database: Database) -> None:
    def call(started: datetime) -> dict[str, Any]:
        return {
            "id": round(started.timestamp()), "provider": "daraja", "operation": "b2c", "method": "POST", "url": "/b2c",
            "request": {}, "response": {}, "outcome": "ok", "duration_ms": 1, "started_at": started,
        }  # fmt: skip

    def key(name: str, claimed: datetime) -> dict[str, Any]:
        return {"principal": "key_1", "key": name, "request": "POST /", "body_hash": "x", "status": 201,
                "answer": {"phone": PHONE}, "claimed_at": claimed}  # fmt: skip

    await put(database, ProviderExchange, call(ago(396)), call(ago(394)))
    await put(database, IdempotencyKey, key("old", ago(31)), key("young", ago(29)))
    done = await erase(database)
    assert (done.erased["provider_exchanges"], done.erased["idempotency_keys"]) == (1, 1)
    assert [row["key"] for row in await rows(database, IdempotencyKey)] == ["young"]


async def test_a_pass_that_broke_off_is_finished_by_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    await put(database, InboxItem, *(webhook(f"old-{number}", ago(200)) for number in range(7)))
    first = await retention.erase(database, POLICY, within=timedelta(0))
    assert (first.finished, first.erased["webhook_inbox"]) == (False, 2)
    second = await erase(database)
    assert (second.finished, second.erased["webhook_inbox"]) == (True, 5)
