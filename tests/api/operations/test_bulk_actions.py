"""Bulk actions at the front door: who may, for which payments, how many, once per key; what a dry run foresees."""

from typing import Any

import httpx
import pytest
from sqlmodel import select

from api.operations import bulk_asking
from core.ids import new_id
from models import kinds
from models.kinds import KINDS, SagaKind
from models.tables.saga.bulk_action import BulkAction
from store.saga import saga_rows
from tests.api.conftest import Door
from tests.api.money import REQUESTS, rich_lender, say
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

DESK = "/api/v1/bulk-actions"
TOP_UPS = kinds.at("top-ups")
every_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])


async def one_of(door: Door, partner_id: str, kind: SagaKind = TOP_UPS, *, ended: bool = False, **more: Any) -> str:
    """The id of a payment of this kind, with which nobody goes on."""
    body = REQUESTS.get(kind.path, {"loan_id": 91}) | {"partner_id": partner_id} | more
    answer = await say(door.admin, kind.path, body)
    assert answer.status_code == 202, answer.text
    if ended:
        async with door.database.transaction() as session:
            await saga_rows.change(session, answer.json()["workflow_id"], ended=True, stage="withdrawn")
    return str(answer.json()["id"])


async def ask(client: httpx.AsyncClient, key: str | None = "k1", **body: Any) -> httpx.Response:
    wanted = {"kind": "top-ups", "command": "cancel", "reason": "the lender asks for it"} | body
    return await client.post(DESK, json=wanted, headers={"Idempotency-Key": key} if key else {})


async def items(client: httpx.AsyncClient, bulk_id: str, **params: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"{DESK}/{bulk_id}/items", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_it_is_written_down_as_it_was_asked_for(door: Door) -> None:
    lender = await rich_lender(door)
    first, second = await one_of(door, lender), await one_of(door, lender)
    made = await ask(door.admin, ids=[first, second, first])
    assert made.status_code == 202, made.text
    told = made.json()
    assert made.headers["Location"] == f"{DESK}/{told['id']}"
    assert (told["kind"], told["command"], told["reason"]) == ("top-ups", "cancel", "the lender asks for it")
    assert (told["counts"]["total"], told["counts"]["waiting"], told["partner_id"]) == (2, 2, None)
    assert [one["id"] for one in await items(door.admin, told["id"])] == [first, second]
    (line,) = await door.audit("bulk_actions.create")
    assert (line.subject, line.person_id) == (told["id"], told["requested_by"])
    assert (await door.admin.get(f"{DESK}/{told['id']}")).json() == told
    assert (await door.admin.get(DESK)).json()["items"] == [told]
    handle = door.client.get_workflow_handle(f"bulk-action/{told['id']}")
    assert (await handle.describe()).workflow_type == "BulkAction"


async def test_the_same_key_is_one_action(door: Door) -> None:
    row = await one_of(door, await rich_lender(door))
    first, again = await ask(door.admin, ids=[row]), await ask(door.admin, ids=[row])
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(await door.rows(BulkAction)) == 1
    other = await ask(door.admin, ids=[row], command="retry")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    without = await ask(door.admin, None, ids=[row])
    assert (without.status_code, without.json()["errors"][0]["field"]) == (422, "Idempotency-Key")


async def test_the_rows_stand_while_temporal_is_away(door: Door) -> None:
    row = await one_of(door, await rich_lender(door))
    async with door.without_temporal():
        made = await ask(door.admin, ids=[row])
    assert made.status_code == 202
    assert made.json()["state"] == "requested"


async def test_filters_are_settled_when_it_is_asked_for(door: Door) -> None:
    lender, other = await rich_lender(door, "Mine"), await rich_lender(door, "Other")
    living, _, foreign = await one_of(door, lender), await one_of(door, lender, ended=True), await one_of(door, other)
    made = await ask(door.admin, filters={"partner_id": lender, "status": "pending"})
    await one_of(door, lender)
    assert [one["id"] for one in await items(door.admin, made.json()["id"])] == [living]
    assert made.json()["filters"] == {"partner_id": lender, "status": "pending"}
    of_all = await ask(door.admin, "k2", filters={"status": "pending"})
    assert foreign in [one["id"] for one in await items(door.admin, of_all.json()["id"])]


async def test_more_than_the_most_are_refused_and_none_too(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    lender = await rich_lender(door)
    monkeypatch.setattr(bulk_asking, "MOST_ITEMS", 2)
    for _ in range(2):
        await one_of(door, lender)
    assert (await ask(door.admin, filters={"partner_id": lender})).status_code == 202
    await one_of(door, lender)
    refused = await ask(door.admin, "k2", filters={"partner_id": lender})
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_items")
    none = await ask(door.admin, "k3", filters={"partner_id": lender, "stage": "in_review"})
    assert (none.status_code, none.json()["code"]) == (422, "nothing_chosen")
    long = await ask(door.admin, "k4", ids=[new_id("top") for _ in range(501)])
    assert (long.status_code, long.json()["errors"][0]["rule"]) == (422, "too_long")


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({}, "body", "ids_or_filters"),
        ({"ids": [], "filters": {"stage": "requested"}}, "ids", "too_short"),
        ({"filters": {}}, "filters", "no_filter"),
        ({"filters": {"stage": "Requested"}}, "filters.stage", "string_pattern_mismatch"),
        ({"filters": {"client_reference": "a\x00"}}, "filters.client_reference", "string_pattern_mismatch"),
        ({"ids": ["cas_01ktv0r5m8e9a7d3c2b4x6y8z0"]}, "ids.0", "string_pattern_mismatch"),
        ({"ids": ["dsb_01ktv0r5m8e9a7d3c2b4x6y8z0"]}, "ids", "invalid_request"),
        ({"ids": ["top_01ktv0r5m8e9a7d3c2b4x6y8z0"], "kind": "cases"}, "kind", "string_pattern_mismatch"),
        ({"ids": ["top_01ktv0r5m8e9a7d3c2b4x6y8z0"], "command": "resolve"}, "command", "literal_error"),
        (
            {"ids": ["top_01ktv0r5m8e9a7d3c2b4x6y8z0"], "reason": "\x00\x00\x00\x00"},
            "reason",
            "string_pattern_mismatch",
        ),
        ({"ids": ["top_01ktv0r5m8e9a7d3c2b4x6y8z0"], "reason": " "}, "reason", "string_too_short"),
    ],
)
async def test_what_is_malformed_is_refused_by_its_field(
    shared_door: Door, body: dict[str, Any], field: str, rule: str
) -> None:
    refused = await ask(shared_door.admin, **body)
    assert refused.status_code == 422, refused.text
    assert [(one["field"], one["rule"]) for one in refused.json()["errors"]] == [(field, rule)]


@every_kind
async def test_a_partners_key_touches_and_sees_its_own_alone(door: Door, kind: SagaKind) -> None:
    mine, other = await rich_lender(door, "Mine"), await rich_lender(door, "Other")
    own, foreign = await one_of(door, mine, kind), await one_of(door, other, kind)
    key = await door.key(kind.scope("write"), kind.scope("read"), partner_id=mine)
    made = await ask(key, kind=kind.resource, ids=[own, foreign])
    assert made.status_code == 202, made.text
    bulk_id = made.json()["id"]
    told = [(one["id"], one["state"], one["code"]) for one in await items(key, bulk_id)]
    assert told == [(own, "waiting", None), (foreign, "refused", "not_found")]
    by_filter = await ask(key, "k2", kind=kind.resource, filters={"status": "pending"})
    assert [one["id"] for one in await items(key, by_filter.json()["id"])] == [own]
    named = await ask(key, "k3", kind=kind.resource, filters={"partner_id": other})
    assert named.status_code == 404
    # What others asked for is not theirs to see or stop: neither another partner's nor the platform's.
    theirs = await door.key(kind.scope("write"), kind.scope("read"), partner_id=other)
    of_house = await ask(door.admin, kind=kind.resource, ids=[foreign])
    for asked in (bulk_id, of_house.json()["id"]):
        assert (await theirs.get(f"{DESK}/{asked}")).status_code == 404
        assert (await theirs.get(f"{DESK}/{asked}/items")).status_code == 404
        assert (await theirs.post(f"{DESK}/{asked}/stop")).status_code == 404
    assert (await theirs.get(DESK)).json()["items"] == []
    assert len((await key.get(DESK)).json()["items"]) == 2


async def test_each_kind_needs_its_own_scope(door: Door) -> None:
    lender = await rich_lender(door)
    row = await one_of(door, lender)
    bulk_id = (await ask(door.admin, ids=[row])).json()["id"]
    reader, other = await door.key("top-ups:read"), await door.key("collections:write", "collections:read")
    for key in (reader, other):
        refused = await ask(key, ids=[row])
        assert (refused.status_code, refused.json()["facts"]) == (403, {"scope": "top-ups:write"})
        assert (await ask(key, ids=[row], dry_run=True)).status_code == 403
        assert (await key.post(f"{DESK}/{bulk_id}/stop")).status_code == 403
    assert (await reader.get(f"{DESK}/{bulk_id}")).status_code == 200
    assert (await other.get(f"{DESK}/{bulk_id}")).status_code == 403
    assert (await other.get(DESK)).json()["items"] == []
    assert (await (await door.key("partners:read")).get(DESK)).status_code == 403


async def test_a_dry_run_does_nothing_and_says_what_it_cannot_know(door: Door) -> None:
    lender = await rich_lender(door)
    over, silent, unknown = await one_of(door, lender, ended=True), await one_of(door, lender), new_id("top")
    told = await ask(door.admin, ids=[over, silent, unknown], dry_run=True)
    assert told.status_code == 200, told.text
    assert [(one["id"], one["outcome"]) for one in told.json()["items"]] == [
        (over, "would_refuse"), (silent, "not_known"), (unknown, "would_refuse"),
    ]  # fmt: skip
    assert [told.json()[name] for name in ("total", "would_take", "would_refuse", "not_known")] == [3, 0, 2, 1]
    assert await door.rows(BulkAction) == []
    assert await door.audit("bulk_actions.create") == []
    # Its key is free for the act itself.
    assert (await ask(door.admin, ids=[silent])).status_code == 202


async def test_it_is_stopped_once_and_stays_so(door: Door) -> None:
    row = await one_of(door, await rich_lender(door))
    bulk_id = (await ask(door.admin, ids=[row])).json()["id"]
    stopped = await door.admin.post(f"{DESK}/{bulk_id}/stop")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "stopping")
    assert (await door.admin.post(f"{DESK}/{bulk_id}/stop")).json()["state"] == "stopping"
    assert [line.subject for line in await door.audit("bulk_actions.stop")] == [bulk_id]


async def test_items_come_page_by_page_and_by_state(door: Door) -> None:
    lender = await rich_lender(door)
    rows = [await one_of(door, lender) for _ in range(3)] + [new_id("top")]
    bulk_id = (await ask(door.admin, ids=rows)).json()["id"]
    found, cursor = [], None
    while True:
        page = (
            await door.admin.get(
                f"{DESK}/{bulk_id}/items", params={"limit": 1} | ({"cursor": cursor} if cursor else {})
            )
        ).json()
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == rows
    assert [one["id"] for one in await items(door.admin, bulk_id, state="refused")] == rows[3:]


async def test_from_the_door_to_the_sagas(house: House, desk: MoneyDesk, house_admin: httpx.AsyncClient) -> None:
    over = await desk.until(await desk.top_up("1500.00"), "waiting_money")
    await desk.cancel(over)
    await desk.ended(over)
    row = await desk.until(await desk.top_up("2500.00"), "waiting_money")
    foreseen = await ask(house_admin, ids=[over.id, row.id], dry_run=True)
    assert [one["outcome"] for one in foreseen.json()["items"]] == ["would_refuse", "would_take"]
    bulk_id = (await ask(house_admin, filters={"partner_id": house.partner_id})).json()["id"]

    async def over_now() -> dict[str, Any] | None:
        told: dict[str, Any] = (await house_admin.get(f"{DESK}/{bulk_id}")).json()
        return told if told["ended_at"] else None

    told = await eventually(over_now)
    assert told["state"] == "done"
    assert told["counts"] == {
        "total": 2, "waiting": 0, "taken": 1, "refused": 1, "unanswered": 0, "skipped": 0,
    }  # fmt: skip
    assert (await desk.ended(row)).stage == "withdrawn"
    async with house.database.transaction() as session:
        assert (await session.exec(select(BulkAction.requested_via))).one().startswith("key_")
