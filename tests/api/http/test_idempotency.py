"""The same key and body get the same answer; anything else is a conflict; nothing is done twice."""

import asyncio
from datetime import timedelta

import httpx

from core.clock import utc_now
from ledger import chart
from ledger.balances import balance
from models.tables.platform.security import ApiKey, IdempotencyKey
from store.platform import idempotency
from tests.api.conftest import Door
from tests.support.approving import alone

CREDIT = {"amount": {"amount": "500.00", "currency": "KES"}, "reference": "FT-1"}


async def credit(door: Door, partner_id: str, key: str, body: object = CREDIT) -> httpx.Response:
    await alone(door.database, "wallets.credit")
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    return await door.admin.post(path, json=body, headers={"Idempotency-Key": key})


async def wallet(door: Door, partner_id: str) -> str:
    async with door.database.transaction() as session:
        return (await balance(session, chart.partner_wallet(partner_id, "KES"))).posted.amount


async def test_the_same_key_and_body_get_the_same_answer(door: Door) -> None:
    partner_id = await door.lender()
    first = await credit(door, partner_id, "a")
    reordered = {"reference": "FT-1", "amount": {"currency": "KES", "amount": "500.00"}}
    second = await credit(door, partner_id, "a", reordered)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await wallet(door, partner_id) == "500.00"


async def test_the_same_key_with_another_body_or_place_is_a_conflict(door: Door) -> None:
    partner_id, other = await door.lender("One"), await door.lender("Two")
    await credit(door, partner_id, "a")
    another_body = await credit(door, partner_id, "a", {**CREDIT, "note": "x"})
    another_place = await credit(door, other, "a")
    for answer in (another_body, another_place):
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
        assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_keys_of_two_principals_are_two_keys(door: Door) -> None:
    partner_id = await door.lender()
    await credit(door, partner_id, "a")
    creditor = await door.key("wallets:credit")
    answer = await creditor.post(
        f"/api/v1/partners/{partner_id}/wallet/credits",
        json={**CREDIT, "reference": "FT-2"},
        headers={"Idempotency-Key": "a"},
    )
    assert answer.status_code == 201


async def test_a_request_that_failed_gives_its_key_back(door: Door) -> None:
    partner_id = await door.lender()
    wrong = {"amount": {"amount": "500", "currency": "UGX"}, "reference": "FT-1"}
    assert (await credit(door, partner_id, "a", wrong)).status_code == 422
    assert await door.rows(IdempotencyKey) == []
    assert (await credit(door, partner_id, "a")).status_code == 201


async def test_while_the_first_request_runs_the_second_is_told_to_come_back(door: Door) -> None:
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    await claim(door, path, age=timedelta(minutes=4))
    answer = await credit(door, partner_id, "a")
    assert (answer.status_code, answer.json()["code"]) == (409, "request_running")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_claim_that_a_dead_process_left_is_taken_over(door: Door) -> None:
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    abandoned = await claim(door, path, age=timedelta(minutes=6))
    assert (await credit(door, partner_id, "a")).status_code == 201
    # The one believed dead wakes up: it can neither answer under the key nor take it away.
    async with door.database.transaction() as session:
        await idempotency.release(session, abandoned)
    assert (await credit(door, partner_id, "a")).headers["idempotency-replayed"] == "true"


async def claim(door: Door, path: str, *, age: timedelta) -> idempotency.Claim:
    """What a request that runs since `age` has left in the table."""
    (admin,) = await door.rows(ApiKey)
    body = '{"amount": {"amount": "500.00", "currency": "KES"}, "reference": "FT-1"}'
    made = idempotency.Claim(
        admin.id, "a", f"POST {path}", door.services.codes.hash(f"POST {path}", "body", body), utc_now() - age
    )
    async with door.database.transaction() as session:
        assert await idempotency.claim(session, made) is None
    return made


async def test_many_at_once_under_one_key_move_the_money_once(door: Door) -> None:
    partner_id = await door.lender()
    answers = await asyncio.gather(*(credit(door, partner_id, "a") for _ in range(10)))
    assert sorted({answer.status_code for answer in answers}) in ([201], [201, 409])
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_running"}
    assert await wallet(door, partner_id) == "500.00"
    assert len(await door.audit("wallets.credit")) == 1
