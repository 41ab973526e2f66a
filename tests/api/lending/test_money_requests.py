"""What top-ups, float purchases and customers' payments have in common at the front door: accepted once, by whom, for
whom, started later if it must be; nobody works behind this door."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select
from temporalio.client import WorkflowExecutionStatus

from activities.scheduled.sweeps import Sweeps
from models.tables.lending.customer_collection import Collection
from models.tables.lending.float_purchase import FloatPurchase
from models.tables.lending.wallet_top_up import TopUp
from models.tables.saga.saga_row import SagaRow
from temporal import commands
from tests.api.conftest import Door
from tests.api.money import PARTNER_SCOPES, REQUESTS, claimed_keys, rich_lender, say

MODELS: dict[str, type[SagaRow]] = {"/top-ups": TopUp, "/float-purchases": FloatPurchase, "/collections": Collection}
ACTS = {"/top-ups": "top_ups", "/float-purchases": "float_purchases", "/collections": "collections"}
each_kind = pytest.mark.parametrize("path", REQUESTS)


@each_kind
async def test_one_request_is_accepted_recorded_and_started(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    visitor = await door.key(*PARTNER_SCOPES, partner_id=partner_id)
    made = await say(visitor, path, REQUESTS[path])
    assert made.status_code == 202, made.text
    row = made.json()
    assert made.headers["location"] == f"/api/v1{path}/{row['id']}"
    assert (row["partner_id"], row["stage"], row["ended"]) == (partner_id, "requested", False)
    described = await door.client.get_workflow_handle(row["workflow_id"]).describe()
    assert described.status == WorkflowExecutionStatus.RUNNING
    (act,) = await door.audit(f"{ACTS[path]}.create")
    assert (act.subject, act.actor) == (row["id"], row["requested_by"])
    shown = (await visitor.get(made.headers["location"])).json()
    assert (shown["id"], shown["saga"]) == (row["id"], None)
    events = (await visitor.get(f"{made.headers['location']}/events")).json()["items"]
    assert [event["key"] for event in events] == ["requested"]
    for query in ("", "?stage=requested", f"?partner_id={partner_id}"):
        assert [one["id"] for one in (await visitor.get(f"/api/v1{path}{query}")).json()["items"]] == [row["id"]]
    assert (await visitor.get(f"/api/v1{path}?stage=completed")).json()["items"] == []


@each_kind
async def test_without_an_idempotency_key_nothing_is_accepted(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    answer = await door.admin.post(f"/api/v1{path}", json={**REQUESTS[path], "partner_id": partner_id})
    assert answer.status_code == 422
    assert ("Idempotency-Key", "missing") in [(e["field"], e["rule"]) for e in answer.json()["errors"]]
    assert await door.rows(MODELS[path]) == []


@each_kind
async def test_the_same_key_and_body_make_one_and_another_body_is_a_conflict(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    body = {**REQUESTS[path], "partner_id": partner_id}
    answers = await asyncio.gather(*(say(door.admin, path, body, key="a") for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_running"}
    (row,) = await door.rows(MODELS[path])
    again = await say(door.admin, path, body, key="a")
    assert (again.status_code, again.json()["id"]) == (202, row.id)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == f"/api/v1{path}/{row.id}"
    other = await say(door.admin, path, {**body, "amount": {"amount": "1.00", "currency": "KES"}}, key="a")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert len(await door.rows(MODELS[path])) == 1
    assert len(await door.audit(f"{ACTS[path]}.create")) == 1


@each_kind
async def test_a_refused_request_gives_its_key_back(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    body = {**REQUESTS[path], "partner_id": partner_id}
    for wrong in ({"amount": {"amount": "100", "currency": "UGX"}}, {"amount": None}, {"colour": "blue"}):
        assert (await say(door.admin, path, {**body, **wrong}, key="a")).status_code == 422
        assert await claimed_keys(door) == []
    assert (await say(door.admin, path, body, key="a")).status_code == 202


@each_kind
async def test_what_is_accepted_while_temporal_is_away_is_started_by_the_sweep(door: Door, path: str) -> None:
    """As after a crash between the commit and the start: the row stands, its answer is remembered."""
    partner_id = await rich_lender(door)
    body = {**REQUESTS[path], "partner_id": partner_id}
    async with door.without_temporal():
        made = await say(door.admin, path, body, key="a")
        shown = await door.admin.get(made.headers["location"])
    assert (made.status_code, shown.json()["stage"]) == (202, "requested")
    assert (await say(door.admin, path, body, key="a")).json()["id"] == made.json()["id"]
    await age(door, MODELS[path])
    swept = await Sweeps(door.database, door.client, door.services.box).sweep()
    assert swept.started == 1
    described = await door.client.get_workflow_handle(made.json()["workflow_id"]).describe()
    assert described.status == WorkflowExecutionStatus.RUNNING


async def age(door: Door, model: type[SagaRow]) -> None:
    async with door.database.transaction() as session:
        for row in await session.exec(select(model)):
            row.created_at -= timedelta(minutes=5)
            session.add(row)


@each_kind
async def test_a_partners_key_moves_and_sees_its_own_money_alone(door: Door, path: str) -> None:
    mine, other = await rich_lender(door, "Mine"), await rich_lender(door, "Other")
    visitor = await door.key(*PARTNER_SCOPES, partner_id=mine)
    theirs = (await say(door.admin, path, {**REQUESTS[path], "partner_id": other})).json()["id"]
    assert (await say(visitor, path, {**REQUESTS[path], "partner_id": other})).status_code == 404
    assert (await visitor.get(f"/api/v1{path}?partner_id={other}")).status_code == 404
    assert (await visitor.get(f"/api/v1{path}")).json()["items"] == []
    for method, last in (("GET", ""), ("GET", "/events"), ("POST", "/retry"), ("POST", "/cancel")):
        answer = await visitor.request(method, f"/api/v1{path}/{theirs}{last}")
        assert answer.status_code == 404, (method, last, answer.text)
        assert other not in answer.text
    assert len(await door.rows(MODELS[path])) == 1


@each_kind
async def test_each_scope_opens_its_own_door(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    name = path[1:]
    reader = await door.key(f"{name}:read", partner_id=partner_id)
    writer = await door.key(f"{name}:write", partner_id=partner_id)
    refused = await say(reader, path, REQUESTS[path])
    assert (refused.status_code, refused.json()["facts"]) == (403, {"scope": f"{name}:write"})
    made = await say(writer, path, REQUESTS[path])
    assert made.status_code == 202, made.text
    assert (await writer.get(made.headers["location"])).status_code == 403
    assert (await reader.get(made.headers["location"])).status_code == 200
    assert (await reader.post(f"{made.headers['location']}/cancel")).status_code == 403
    resolve = await say(writer, f"{path}/{made.json()['id']}/resolve", {"decision": "paid", "evidence": "seen"})
    assert (resolve.status_code, resolve.json()["facts"]) == (403, {"scope": f"{name}:resolve"})


@pytest.mark.parametrize("scope", ["top-ups:resolve", "float-purchases:resolve"])
async def test_a_partner_never_decides_that_its_own_wallet_gets_money(door: Door, scope: str) -> None:
    partner_id = await door.lender()
    body = {"name": "x", "scopes": [scope], "partner_id": partner_id}
    answer = await door.admin.post("/api/v1/keys", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "scopes")


@each_kind
async def test_a_suspended_partner_starts_nothing(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    await door.admin.patch(f"/api/v1/partners/{partner_id}", json={"status": "suspended"})
    answer = await say(door.admin, path, {**REQUESTS[path], "partner_id": partner_id})
    assert (answer.status_code, answer.json()["code"]) == (403, "partner_suspended")


@each_kind
async def test_a_partner_without_the_connection_is_told_which(door: Door, path: str) -> None:
    partner_id = (await door.admin.post("/api/v1/partners", json={"name": "Bare"})).json()["id"]
    answer = await say(door.admin, path, {**REQUESTS[path], "partner_id": partner_id})
    provider = "daraja" if path == "/collections" else "bank"
    assert (answer.status_code, answer.json()["code"]) == (404, "no_connection")
    assert answer.json()["errors"][0]["field"] == provider


@each_kind
@pytest.mark.parametrize("command", ["retry", "cancel"])
async def test_a_command_without_a_worker_says_so_and_leaves_its_trace(
    door: Door, monkeypatch: pytest.MonkeyPatch, path: str, command: str
) -> None:
    monkeypatch.setattr(commands, "TIMEOUT", timedelta(seconds=0.3))
    partner_id = await rich_lender(door)
    made = await say(door.admin, path, {**REQUESTS[path], "partner_id": partner_id})
    answer = await door.admin.post(f"{made.headers['location']}/{command}", json={"note": "please"})
    assert (answer.status_code, answer.json()["code"]) == (503, "saga_busy")
    act = f"{ACTS[path]}.{'cancel_request' if command == 'cancel' else 'retry'}"
    (asked,) = await door.audit(act)
    assert (asked.subject, asked.after["note"]) == (made.json()["id"], "please")
    assert [refused.after for refused in await door.audit(f"{act}.refused")] == [{"code": "saga_busy"}]


@each_kind
async def test_a_decision_needs_an_idempotency_key(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    made = await say(door.admin, path, {**REQUESTS[path], "partner_id": partner_id})
    said = {"decision": "not_paid", "evidence": "seen on the statement"}
    answer = await door.admin.post(f"{made.headers['location']}/resolve", json=said)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]


@each_kind
async def test_lists_page_by_cursor_newest_first(door: Door, path: str) -> None:
    partner_id = await rich_lender(door)
    made = [(await say(door.admin, path, {**REQUESTS[path], "partner_id": partner_id})).json()["id"] for _ in range(3)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await next_page(door, path, cursor)
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(made, reverse=True)


async def next_page(door: Door, path: str, cursor: str | None) -> dict[str, Any]:
    answer: httpx.Response = await door.admin.get(
        f"/api/v1{path}", params={"limit": "2", **({"cursor": cursor} if cursor else {})}
    )
    return dict(answer.json())
