"""Comparisons of days as callers see them and ask for them."""

from datetime import date, timedelta
from typing import Any

import pytest

from core.clock import local_date, utc_now
from core.ids import new_id
from models.messages.reconciliation import Difference, PartChecked
from store.platform import reconciliations
from store.saga import cases
from tests.api.conftest import Door

PATH = "/api/v1/reconciliations"
DAY = date(2026, 11, 21)
PARTS = [PartChecked(part="loans", state="checked", seen=3, different=1),
         PartChecked(part="bank", state="not_checked", detail="It did not answer in time.")]  # fmt: skip


def difference(name: str, **values: Any) -> Difference:
    facts = {"kind": "booking_missing", "subject": f"saga/{name}", "summary": f"{name} is missing.", **values}
    return Difference(key=f"reconciliation:{name}", evidence={"receipt": "UKL4X7QW2D"}, **facts)


async def compared(
    door: Door, partner_id: str, *found: Difference, day: date = DAY, looked_at: tuple[str, ...] = ()
) -> str:
    subjects = {*looked_at, *(one.subject for one in found)}
    async with door.database.transaction() as session:
        row_id = await reconciliations.begin(session, partner_id, day)
        await reconciliations.settle(session, partner_id, "loans", day, looked_at=subjects, found=found)
        await reconciliations.finish(session, row_id, PARTS)
    return row_id


async def open_cases(door: Door) -> list[str]:
    async with door.database.transaction() as session:
        return [case.key for case in await cases.page(session, state="open")]


# ----------------------------------------------------------------------------------------------------- what is kept of it


async def test_a_difference_is_a_case_once_and_closes_when_it_is_gone(door: Door) -> None:
    partner_id = await door.lender()
    await compared(door, partner_id, difference("one"))
    await compared(door, partner_id, difference("one"), day=DAY + timedelta(days=1))
    assert await open_cases(door) == ["reconciliation:one"]
    await compared(door, partner_id, day=DAY + timedelta(days=2))  # nobody looked at it
    assert await open_cases(door) == ["reconciliation:one"]
    await compared(door, partner_id, day=DAY + timedelta(days=3), looked_at=("saga/one",))
    assert await open_cases(door) == []
    (told,) = (await door.admin.get(f"{PATH}/differences")).json()["items"]
    assert (told["state"], told["date"], told["gone_at"] is not None) == ("gone", "2026-11-21", True)
    await compared(door, partner_id, difference("one"))
    assert await open_cases(door) == ["reconciliation:one"], "what comes back is opened anew"


async def test_one_that_a_person_closed_is_not_opened_again_while_it_lasts(door: Door) -> None:
    partner_id = await door.lender()
    await compared(door, partner_id, difference("one"))
    async with door.database.transaction() as session:
        await cases.close_of_key(session, "reconciliation:one", by="key_ann", resolution="known")
    await compared(door, partner_id, difference("one"))
    assert await open_cases(door) == []


async def test_what_is_different_in_another_part_or_of_another_partner_is_left_alone(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    await compared(door, mine, difference("mine", subject="same"))
    await compared(door, theirs, difference("theirs", subject="same"))
    async with door.database.transaction() as session:
        await reconciliations.settle(session, mine, "payments", DAY, looked_at=["same"], found=[])
    assert len(await open_cases(door)) == 2
    await compared(door, mine, looked_at=("same",))
    assert await open_cases(door) == ["reconciliation:theirs"]


async def test_a_day_that_is_compared_again_is_one_row(door: Door) -> None:
    partner_id = await door.lender()
    first = await compared(door, partner_id)
    assert await compared(door, partner_id) == first
    (row,) = (await door.admin.get(PATH)).json()["items"]
    assert (row["id"], row["runs"], row["state"]) == (first, 2, "partly")
    assert {one["part"]: (one["state"], one["seen"], one["different"]) for one in row["parts"]} == {
        "loans": ("checked", 3, 1), "bank": ("not_checked", 0, 0)
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ who sees it


async def test_a_partner_sees_its_own_alone(door: Door) -> None:
    mine, theirs = await door.lender("Mine"), await door.lender("Theirs")
    own = await compared(door, mine, difference("mine"))
    other = await compared(door, theirs, difference("theirs"))
    reader = await door.key("disbursements:read", partner_id=mine)
    assert [row["id"] for row in (await reader.get(PATH)).json()["items"]] == [own]
    assert [row["key"] for row in (await reader.get(f"{PATH}/differences")).json()["items"]] == ["reconciliation:mine"]
    assert (await reader.get(f"{PATH}/{own}")).json()["differences"][0]["kind"] == "booking_missing"
    assert (await reader.get(f"{PATH}/{other}")).status_code == 404
    for path in (PATH, f"{PATH}/differences"):
        assert (await reader.get(path, params={"partner_id": theirs})).status_code == 404
        assert len((await door.admin.get(path)).json()["items"]) == 2
        assert len((await door.admin.get(path, params={"partner_id": theirs})).json()["items"]) == 1
        assert (await door.visitor().get(path)).status_code == 401
    assert (await reader.post(PATH, json={})).status_code == 403


async def test_lists_are_paged_and_filtered(door: Door) -> None:
    partner_id = await door.lender()
    for number in range(3):
        await compared(door, partner_id, difference(f"d{number}"), day=DAY + timedelta(days=number))
    assert [row["date"] for row in (await door.admin.get(PATH, params={"date": "2026-11-22"})).json()["items"]] == [
        "2026-11-22"
    ]
    for path, name in ((PATH, "id"), (f"{PATH}/differences", "key")):
        first = (await door.admin.get(path, params={"limit": 2})).json()
        rest = (await door.admin.get(path, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert len({row[name] for row in (*first["items"], *rest["items"])}) == 3
        assert rest["next_cursor"] is None
    gone = await door.admin.get(f"{PATH}/differences", params={"state": "gone"})
    assert gone.json()["items"] == []


async def test_a_comparison_shows_what_of_earlier_days_still_differs(door: Door) -> None:
    partner_id = await door.lender()
    await compared(door, partner_id, difference("old"), difference("mended"))
    await compared(door, partner_id, looked_at=("saga/mended",), day=DAY + timedelta(days=1))
    row_id = await compared(door, partner_id, difference("new"), day=DAY + timedelta(days=2))
    shown = (await door.admin.get(f"{PATH}/{row_id}")).json()["differences"]
    assert [one["key"] for one in shown] == ["reconciliation:new", "reconciliation:old"]


# ---------------------------------------------------------------------------------------------------------- asking for one


async def test_a_day_is_compared_when_somebody_asks(door: Door) -> None:
    partner_id = await door.lender()
    asker = await door.key("disbursements:write", partner_id=partner_id)
    yesterday = local_date(utc_now(), "Africa/Nairobi") - timedelta(days=1)
    answer = await asker.post(PATH, json={})
    assert answer.status_code == 202, answer.text
    assert (answer.json()["date"], answer.json()["run"]) == (yesterday.isoformat(), 1)
    handle = door.client.get_workflow_handle(answer.json()["workflow_id"])
    assert (await handle.describe()).workflow_type == "DailyReconciliation"
    again = await asker.post(PATH, json={"date": yesterday.isoformat()})
    assert again.json()["workflow_id"] == answer.json()["workflow_id"]
    (entry, *_) = await door.audit("reconciliations.ask")
    assert entry.subject == partner_id
    async with door.database.transaction() as session:
        await reconciliations.begin(session, partner_id, yesterday)
    assert (await asker.post(PATH, json={})).json()["run"] == 1  # the one that runs
    await handle.terminate("the test is over")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"date": "2999-01-01"}, "date"),
        ({"date": "1999-12-31"}, "date"),
        ({"date": "yesterday"}, "date"),
        ({"day": "2026-11-21", "date": None, "x": 1}, "x"),
        ({"partner_id": "prt_1"}, "partner_id"),
        ({}, "partner_id"),  # a key of the house names the partner
    ],
)
async def test_a_wrong_wish_is_refused_by_field(door: Door, body: dict[str, Any], field: str) -> None:
    partner_id = await door.lender()
    named = body if "partner_id" in body or field == "partner_id" else {**body, "partner_id": partner_id}
    answer = await door.admin.post(PATH, json=named)
    assert answer.status_code == 422
    assert field in {one["field"] for one in answer.json()["errors"]}


async def test_nobody_elses_day_is_compared(door: Door) -> None:
    theirs = await door.lender("Theirs")
    asker = await door.key("disbursements:write", partner_id=await door.lender("Mine"))
    assert (await asker.post(PATH, json={"partner_id": theirs})).status_code == 404
    assert (await door.admin.post(PATH, json={"partner_id": new_id("prt")})).status_code == 404
