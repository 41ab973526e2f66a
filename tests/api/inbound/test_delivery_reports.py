"""Delivery reports: a secret address, no signature, and power over the state of an SMS alone."""

from dataclasses import replace
from typing import Any

import pytest

from api.http.dependencies import put_services
from api.inbound import delivery_reports
from core.clock import utc_now
from core.ids import NOTIFICATION, new_id
from models.tables.platform.traffic import Notification
from tests.api.conftest import Door
from tests.providers.message_servers import golden

MESSAGE_ID = "ATXid_5b1c7d40e2f94a"
DELIVERED: dict[str, str] = golden("africastalking_delivered")["body"]
UNDELIVERED: dict[str, str] = golden("africastalking_undelivered")["body"]


@pytest.fixture(autouse=True)
def quick_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_reports, "_LOOK_AGAIN", (0.01,))


def path(door: Door, secret: str | None = None) -> str:
    return f"/cb/sms/{secret or door.settings.sms.report_secret.get_secret_value()}/africastalking"


async def sent(door: Door, **values: Any) -> str:
    """A message that Africa's Talking took under the golden id."""
    now = utc_now()
    row = Notification(
        **{
            "id": new_id(NOTIFICATION), "key": new_id("k"), "event": "loan_paid", "channel": "sms",
            "recipient": "+254712000111", "text": "Habari", "state": "sent", "gateway": "africastalking",
            "message_id": MESSAGE_ID, "tried": [], "attempts": 1, "next_attempt_at": now, "created_at": now,
            "sent_at": now, "delivery": "awaited", **values,
        }
    )  # fmt: skip
    async with door.database.transaction() as session:
        session.add(row)
    return row.id


async def message(door: Door) -> Notification:
    (row,) = await door.rows(Notification)
    assert isinstance(row, Notification)
    return row


async def test_a_report_moves_the_delivery_and_nothing_else(door: Door) -> None:
    await sent(door)
    before = (await message(door)).model_dump()
    answer = await door.visitor().post(path(door), data=DELIVERED)
    assert answer.status_code == 200
    after = (await message(door)).model_dump()
    assert {name for name in after if after[name] != before[name]} == {"delivery", "delivery_at"}
    assert after["delivery"] == "delivered"


async def test_the_first_final_report_wins_and_progress_does_not_follow_it(door: Door) -> None:
    await sent(door)
    for form in ({**DELIVERED, "status": "Buffered"}, UNDELIVERED, DELIVERED, {**DELIVERED, "status": "Sent"}):
        assert (await door.visitor().post(path(door), data=form)).status_code == 200
    assert (await message(door)).delivery == "failed"


async def test_the_same_id_at_another_gateway_is_another_message(door: Door) -> None:
    await sent(door, gateway="damza", delivery=None)
    await door.visitor().post(path(door), data={**DELIVERED, "phoneNumber": ""})
    assert (await message(door)).delivery is None


async def test_an_unknown_message_is_taken_and_ignored(door: Door) -> None:
    await sent(door)
    answer = await door.visitor().post(path(door), data={**DELIVERED, "id": "ATXid_other"})
    assert answer.status_code == 200
    assert (await message(door)).delivery == "awaited"


@pytest.mark.parametrize("secret", ["x", "kivuko-local-demo-report-secreT", "%00", "é", "sms"])
async def test_another_address_is_nothing(door: Door, secret: str) -> None:
    await sent(door)
    assert (await door.visitor().post(path(door, secret), data=DELIVERED)).status_code == 404
    assert (await message(door)).delivery == "awaited"


async def test_another_source_is_refused_where_sources_are_named(door: Door) -> None:
    await sent(door)
    sms = door.settings.sms.model_copy(update={"report_sources": ["192.0.2.0/24"]})
    settings = door.settings.model_copy(update={"sms": sms})
    put_services(door.app, replace(door.services, settings=settings))
    refused = await door.visitor().post(path(door), data=DELIVERED)
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong_source")
    taken = await door.visitor(address="192.0.2.9").post(path(door), data=DELIVERED)
    assert taken.status_code == 200


@pytest.mark.parametrize(
    "request_of",
    [
        {"data": {}},
        {"data": {"id": MESSAGE_ID}},
        {"data": {"status": "Success"}},
        {"data": {"id": "a b", "status": "Success"}},
        {"data": {"id": "x" * 200, "status": "Success"}},
        {"json": DELIVERED},
        {"content": b"\xff\x00%zz"},
    ],
)
async def test_a_body_that_is_no_report_is_refused_by_field(door: Door, request_of: dict[str, Any]) -> None:
    await sent(door)
    answer = await door.visitor().post(path(door), **request_of)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "id"
    assert (await message(door)).delivery == "awaited"


@pytest.mark.parametrize(
    "request_of",
    [
        {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},  # without its boundary
        {"files": {"id": ("x.txt", b"ATXid_1"), "status": ("y.txt", b"Success")}},
        {"files": {f"f{number}": (None, b"1") for number in range(50)}},
    ],
)
async def test_a_broken_form_is_a_bad_request(door: Door, request_of: dict[str, Any]) -> None:
    answer = await door.visitor().post(path(door), **request_of)
    assert answer.status_code == 400


async def test_a_reason_with_a_number_in_it_is_kept_nowhere(door: Door) -> None:
    await sent(door)
    await door.visitor().post(path(door), data={**UNDELIVERED, "failureReason": "call +254712000111"})
    assert (await message(door)).last_error == "not delivered: Failed"


async def test_neither_secret_nor_number_is_in_a_log_line_or_a_metric(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await sent(door)
    for form in (DELIVERED, {**DELIVERED, "id": "ATXid_other"}, {}):
        await door.visitor().post(path(door), data=form)
    metrics = (await door.visitor().get("/metrics")).text
    assert 'kivuko_callbacks_total{kind="sms_report",outcome="noted"} 1.0' in metrics
    ours = [line for line in caplog.records if not line.name.startswith("http")]  # the visitor's own client
    shown = metrics + "\n".join(record.getMessage() for record in ours)
    assert "request" in shown
    assert [
        word for word in (door.settings.sms.report_secret.get_secret_value(), "254712000111") if word in shown
    ] == []
