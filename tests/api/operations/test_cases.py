"""The case desk and the exchange log."""

from core.clock import utc_now
from core.ids import CASE
from store.platform import exchanges
from store.saga import cases
from tests.api.conftest import Door


async def open_case(door: Door, partner_id: str | None, key: str) -> str:
    async with door.database.transaction() as session:
        assert await cases.open_case(
            session, key=key, kind="payout_unknown", summary="silence", evidence={}, partner_id=partner_id
        )
        return (await cases.page(session, limit=1))[0].id


async def test_a_case_is_closed_once_with_a_reason_and_recorded(door: Door) -> None:
    case_id = await open_case(door, await door.lender(), "a")
    path = f"/api/v1/cases/{case_id}/close"
    closed = await door.admin.post(path, json={"reason": "seen on the portal"})
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert closed.json()["resolution"] == "seen on the portal"
    assert closed.json()["closed_by"].startswith("key_")
    again = await door.admin.post(path, json={"reason": "once more"})
    assert (again.status_code, again.json()["code"]) == (409, "case_closed")
    (act,) = await door.audit("cases.close")
    assert (act.before["state"], act.after["state"]) == ("open", "closed")
    assert (await door.admin.get("/api/v1/cases?state=open")).json()["items"] == []


async def test_a_partner_sees_and_closes_its_own_cases_alone(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    own, foreign, ours = [await open_case(door, who, key) for who, key in ((mine, "a"), (other, "b"), (None, "c"))]
    visitor = await door.key("disbursements:read", "disbursements:resolve", partner_id=mine)
    assert [row["id"] for row in (await visitor.get("/api/v1/cases")).json()["items"]] == [own]
    for case_id in (foreign, ours, f"{CASE}_{'0' * 26}"):
        answer = await visitor.post(f"/api/v1/cases/{case_id}/close", json={"reason": "not mine"})
        assert answer.status_code == 404
    assert (await visitor.post(f"/api/v1/cases/{own}/close", json={"reason": "mine"})).status_code == 200


async def test_exchanges_are_found_by_saga_and_seen_by_their_partner(door: Door) -> None:
    mine, other = await door.lender("Mine"), await door.lender("Other")
    async with door.database.transaction() as session:
        for owner in (mine, other):
            line = {
                "provider": "daraja", "operation": "b2c", "partner_id": owner, "workflow_id": f"loan-disbursement/{owner}/1",
                "method": "POST", "url": "/mpesa/b2c", "request": {"PartyB": "25471•••678"}, "response": None,
                "outcome": "no_answer", "duration_ms": 30000, "started_at": utc_now(),
            }  # fmt: skip
            await exchanges.add(session, line)
    found = (await door.admin.get(f"/api/v1/exchanges?workflow_id=loan-disbursement/{mine}/1")).json()["items"]
    assert [row["partner_id"] for row in found] == [mine]
    visitor = await door.key("disbursements:read", partner_id=mine)
    assert [row["partner_id"] for row in (await visitor.get("/api/v1/exchanges")).json()["items"]] == [mine]
    newest = (await door.admin.get("/api/v1/exchanges?limit=1")).json()
    rest = (await door.admin.get(f"/api/v1/exchanges?cursor={newest['next_cursor']}")).json()
    assert [newest["items"][0]["partner_id"], rest["items"][0]["partner_id"]] == [other, mine]
