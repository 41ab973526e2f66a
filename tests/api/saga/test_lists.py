"""What all kinds of payments share in their lists: how far in five words, the caller's own reference, a range of time."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import utc_now
from store.saga import saga_rows
from tests.api.conftest import Door
from tests.api.money import COLLECT, TOP_UP, rich_lender, say

STATUSES = ("pending", "processing", "completed", "failed", "cancelled")
MARKS: dict[str, Any] = {"client_reference": "INV-2026/0117", "metadata": {"branch": "Thika", "till.no": "7"}}


async def listed(door: Door, path: str, **only: str) -> list[str]:
    answer = await door.admin.get(f"/api/v1{path}", params=only)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


async def change(door: Door, row: dict[str, Any], **values: Any) -> None:
    async with door.database.transaction() as session:
        await saga_rows.change(session, row["workflow_id"], **values)


@pytest.mark.parametrize(("path", "body"), [("/top-ups", TOP_UP), ("/collections", COLLECT)])
async def test_a_callers_own_words_are_kept_given_back_and_found(door: Door, path: str, body: dict[str, Any]) -> None:
    partner_id = await rich_lender(door)
    named = (await say(door.admin, path, {**body, **MARKS, "partner_id": partner_id})).json()
    bare = (await say(door.admin, path, {**body, "partner_id": partner_id})).json()
    assert {name: named[name] for name in MARKS} == MARKS
    assert (bare["client_reference"], bare["metadata"]) == (None, {})
    shown = (await door.admin.get(f"/api/v1{path}/{named['id']}")).json()
    assert {name: shown[name] for name in MARKS} == MARKS
    assert await listed(door, path, client_reference="INV-2026/0117") == [named["id"]]
    assert await listed(door, path, client_reference="INV-2026") == []


async def test_a_disbursement_keeps_the_words_of_whoever_asked_first(door: Door) -> None:
    partner_id = await door.lender()
    body = {"partner_id": partner_id, "loan_id": 91}
    made = (await say(door.admin, "/disbursements", {**body, **MARKS})).json()
    again = (await say(door.admin, "/disbursements", {**body, "client_reference": "other"})).json()
    assert again["id"] == made["id"]
    assert {name: again[name] for name in MARKS} == {name: made[name] for name in MARKS} == MARKS


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"client_reference": ""}, "client_reference"),
        ({"client_reference": "x" * 65}, "client_reference"),
        ({"client_reference": "a\nb"}, "client_reference"),
        ({"client_reference": "\u202eabc"}, "client_reference"),
        ({"metadata": {"": "x"}}, "metadata"),
        ({"metadata": {"a": "x" * 201}}, "metadata.a"),
        ({"metadata": {"a": "\x00"}}, "metadata.a"),
        ({"metadata": {"a": 7}}, "metadata.a"),
        ({"metadata": {f"k{number}": "" for number in range(21)}}, "metadata"),
        ({"metadata": ["a"]}, "metadata"),
    ],
)
async def test_words_that_cannot_be_kept_are_refused_by_name(door: Door, given: dict[str, Any], field: str) -> None:
    partner_id = await rich_lender(door)
    answer = await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id, **given})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert await listed(door, "/top-ups") == []


async def test_the_filter_by_status_finds_what_the_rows_say_of_themselves(door: Door) -> None:
    partner_id = await rich_lender(door)
    rows = [(await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json() for _ in range(6)]
    for row, (stage, ended) in zip(
        rows,
        [("waiting_money", False), ("crediting", False), ("completed", True), ("expired", True), ("withdrawn", True),
         ("returned", True)],
        strict=True,
    ):  # fmt: skip
        await change(door, row, stage=stage, ended=ended)
    found = {status: await listed(door, "/top-ups", status=status) for status in STATUSES}
    everything = (await door.admin.get("/api/v1/top-ups")).json()["items"]
    for status, ids in found.items():
        assert ids == [row["id"] for row in everything if row["status"] == status]
    assert [len(found[status]) for status in STATUSES] == [1, 1, 1, 2, 1]


async def test_a_range_of_time_holds_its_first_moment_and_not_its_last(door: Door) -> None:
    partner_id = await rich_lender(door)
    row = (await say(door.admin, "/top-ups", {**TOP_UP, "partner_id": partner_id})).json()
    made, later = row["created_at"], (utc_now() + timedelta(hours=1)).isoformat()
    assert await listed(door, "/top-ups", created_from=made, created_before=later) == [row["id"]]
    assert await listed(door, "/top-ups", created_before=made) == []
    assert await listed(door, "/top-ups", created_from=later) == []
    for wrong in ("2026-11-21", "yesterday", "2026-11-21T06:00:00"):
        answer = await door.admin.get("/api/v1/top-ups", params={"created_from": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "created_from")
