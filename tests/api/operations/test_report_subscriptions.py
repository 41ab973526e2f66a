"""Reports by email: who may have which sent, and that each day goes out once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from activities.scheduled.report_mails import ReportMails
from core.clock import local_date, utc_now
from core.ids import new_id
from models.tables.base import table_of
from models.tables.platform.partner import Partner
from models.tables.platform.report_subscription import ReportSubscription
from models.tables.platform.traffic import Notification
from store.reports import subscriptions
from tests.api.conftest import Door

PATH = "/api/v1/report-subscriptions"
ZONE = "Africa/Nairobi"
WANTED = {"kind": "daily", "email": "grace@lender.example", "hour": 0}
SCOPES = ("partners:read", "partners:write", "disbursements:read")


async def mail(door: Door) -> int:
    return (await ReportMails(door.database, ZONE).mail_due()).mailed


async def mails(door: Door) -> list[Notification]:
    return await door.rows(Notification)


async def test_yesterdays_report_is_written_once_a_day(door: Door) -> None:
    partner_id = await door.lender("Jaza Sacco")
    lender = await door.key(*SCOPES, partner_id=partner_id)
    made = await lender.post(PATH, json=WANTED)
    assert made.status_code == 201, made.text
    assert [await mail(door), await mail(door)] == [1, 0]
    (sent,) = await mails(door)
    yesterday = local_date(utc_now(), ZONE) - timedelta(days=1)
    assert (sent.recipient, sent.channel, sent.partner_id) == ("grace@lender.example", "email", partner_id)
    assert sent.subject == f"Daily summary, Jaza Sacco, {yesterday} ({ZONE})"
    assert sent.text.startswith("Daily summary\n")
    assert made.json()["id"] in sent.text  # how to end it
    (row,) = (await lender.get(PATH)).json()["items"]
    assert row["last_day"] == yesterday.isoformat()
    async with door.database.transaction() as session:
        await session.exec(update(table_of(ReportSubscription)).values(last_day=yesterday - timedelta(days=1)))
    await mail(door)
    assert len(await mails(door)) == 1  # even if it was not noted: a day has one message


async def test_it_waits_for_its_hour_where_the_partner_is(door: Door) -> None:
    partner_id = await door.lender()
    async with door.database.transaction() as session:
        # An hour before that of the subscription, whatever the time of the test is.
        ahead = 12 - utc_now().hour
        zone = f"Etc/GMT{-ahead:+d}"
        await session.exec(update(table_of(Partner)).values(timezone=zone))
    await door.admin.post(PATH, json={**WANTED, "hour": 13, "partner_id": partner_id})
    await door.admin.post(PATH, json={**WANTED, "hour": 12, "partner_id": partner_id, "email": "juma@lender.example"})
    assert await mail(door) == 1
    assert [one.recipient for one in await mails(door)] == ["juma@lender.example"]


async def test_the_house_gets_the_report_of_all(door: Door) -> None:
    await door.lender("Jaza Sacco")
    assert (await door.admin.post(PATH, json={**WANTED, "kind": "partner"})).json()["partner_id"] is None
    assert await mail(door) == 1
    (sent,) = await mails(door)
    assert "All partners" in (sent.subject or "")


async def test_a_suspended_partner_gets_none(door: Door) -> None:
    partner_id = await door.lender()
    await door.admin.post(PATH, json={**WANTED, "partner_id": partner_id})
    await door.admin.patch(f"/api/v1/partners/{partner_id}", json={"status": "suspended"})
    assert await mail(door) == 0


async def test_one_that_cannot_be_made_holds_up_no_other(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await door.lender("First"), await door.lender("Second")
    for partner_id in (first, second):
        await door.admin.post(PATH, json={**WANTED, "partner_id": partner_id})
    async with door.database.transaction() as session:
        rows = table_of(Partner)
        await session.exec(update(rows).where(rows.c.id == first).values(timezone="Nowhere/At-All"))
    assert await mail(door) == 1
    assert [one.partner_id for one in await mails(door)] == [second]


async def test_the_same_is_subscribed_to_once_and_ended_for_good(door: Door) -> None:
    partner_id = await door.lender()
    lender = await door.key(*SCOPES, partner_id=partner_id)
    first, again = await lender.post(PATH, json=WANTED), await lender.post(PATH, json={**WANTED, "hour": 9})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    gone = await lender.delete(f"{PATH}/{first.json()['id']}")
    assert (gone.status_code, gone.json()["email"]) == (200, "grace@lender.example")
    assert (await lender.delete(f"{PATH}/{first.json()['id']}")).status_code == 404
    assert await mail(door) == 0
    assert [len(await door.audit(f"report_subscriptions.{act}")) for act in ("add", "remove")] == [1, 1]


async def test_nobody_has_a_report_sent_that_they_may_not_read(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    lender = await door.key(*SCOPES, partner_id=mine)
    assert (await lender.post(PATH, json={**WANTED, "kind": "financial"})).json()["facts"] == {"scope": "wallets:read"}
    assert (await lender.post(PATH, json={**WANTED, "partner_id": theirs})).status_code == 404
    writer = await door.key("partners:write", partner_id=mine)
    assert (await writer.post(PATH, json=WANTED)).json()["facts"] == {"scope": "disbursements:read"}
    reader = await door.key("partners:read", "disbursements:read", partner_id=mine)
    assert (await reader.post(PATH, json=WANTED)).status_code == 403
    other = (await door.admin.post(PATH, json={**WANTED, "partner_id": theirs})).json()
    house = (await door.admin.post(PATH, json=WANTED)).json()
    assert (await lender.get(PATH)).json()["items"] == []
    for one in (other, house):
        assert (await lender.delete(f"{PATH}/{one['id']}")).status_code == 404
    assert (await lender.get(PATH, params={"partner_id": theirs})).status_code == 404


async def test_there_is_an_end_to_them(door: Door) -> None:
    partner_id = await door.lender()
    for number in range(subscriptions.MOST):
        body = {**WANTED, "email": f"a{number}@lender.example", "partner_id": partner_id}
        assert (await door.admin.post(PATH, json=body)).status_code == 201
    full = await door.admin.post(PATH, json={**WANTED, "partner_id": partner_id})
    assert (full.status_code, full.json()["code"]) == (422, "too_many_subscriptions")
    assert (await door.admin.post(PATH, json=WANTED)).status_code == 201  # the house's own are counted apart


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "grace"}, "email"),
        ({"email": "grace@lender.example\nBcc: x@y.example"}, "email"),
        ({"email": "a" * 300 + "@x.example"}, "email"),
        ({"hour": 24}, "hour"),
        ({"hour": "7"}, "hour"),
        ({"kind": "secrets"}, "kind"),
        ({"partner_id": new_id("prt")[:-1]}, "partner_id"),
        ({"until": "x"}, "until"),
    ],
)
async def test_a_wrong_wish_is_refused_by_field(shared_door: Door, wrong: dict[str, Any], field: str) -> None:
    answer = await shared_door.admin.post(PATH, json={**WANTED, **wrong})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["errors"]] == [field]
