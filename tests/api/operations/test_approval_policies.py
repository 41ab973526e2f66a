"""How many must agree to what, who may answer in whose stead: data; and credits, whose policy has a threshold."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core.clock import utc_now
from core.ids import new_id
from models.tables.platform.approval import ApprovalDecision
from tests.api.conftest import Door
from tests.api.operations.test_approvals import answer, person
from tests.support.approving import alone

POLICY = {
    "act": "wallets.credit", "currency": "KES", "from_minor": 100_000, "approvers": 2, "evidence": "The board's decision.",
}  # fmt: skip


def credit(amount: str, reference: str = "FT-1") -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": "KES"}, "reference": reference, "note": "slip of 21 November"}


async def available(door: Door, partner_id: str) -> str:
    wallet = (await door.admin.get(f"/api/v1/partners/{partner_id}/wallet")).json()
    return str(wallet["available"]["amount"])


async def test_a_credit_waits_for_another_person_and_is_booked_once(door: Door) -> None:
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    ann, bob = await person(door), await person(door)
    asked = await ann.post(path, json=credit("500.00"))
    assert (asked.status_code, asked.json()["state"], asked.json()["amount"]["amount"]) == (202, "open", "500.00")
    assert asked.headers["location"] == f"/api/v1/approvals/{asked.json()['id']}"
    assert (await ann.post(path, json=credit("500.00"))).json()["id"] == asked.json()["id"]
    other = await bob.post(path, json=credit("5000.00"))
    assert (other.status_code, other.json()["code"]) == (409, "proposed_otherwise")
    assert (await answer(ann, asked.json()["id"])).json()["code"] == "four_eyes"
    assert await available(door, partner_id) == "0.00"
    assert (await answer(bob, asked.json()["id"])).json()["state"] == "approved"
    assert await available(door, partner_id) == "500.00"
    again = await bob.post(path, json=credit("500.00"))
    assert (again.status_code, again.json()["status"]) == (200, "already_booked")
    (act,) = await door.audit("wallets.credit")
    assert act.after["approval_id"] == asked.json()["id"]


async def test_what_cannot_be_booked_is_refused_when_it_is_asked_for(door: Door) -> None:
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    ann = await person(door)
    wrong = {**credit("500.00"), "amount": {"amount": "5", "currency": "UGX"}}
    assert (await ann.post(path, json=wrong)).json()["code"] == "currency_differs"
    assert (await ann.get("/api/v1/approvals")).json()["items"] == []


async def test_above_a_threshold_more_must_agree_and_lowering_it_needs_another_admin(door: Door) -> None:
    partner_id = await door.lender()
    ann, bob, cid = [await person(door) for _ in range(3)]
    proposed = await ann.post("/api/v1/approval-rules/policies", json=POLICY)
    assert proposed.status_code == 202, proposed.text
    assert (await answer(ann, proposed.json()["id"])).json()["code"] == "four_eyes"
    assert (await answer(bob, proposed.json()["id"])).json()["state"] == "approved"
    policies = (await ann.get("/api/v1/approval-rules/policies")).json()["items"]
    assert [(one["act"], one["from_minor"], one["approvers"]) for one in policies] == [
        ("*", 0, 1), ("wallets.credit", 0, 1), ("wallets.credit", 100_000, 2),
    ]  # fmt: skip
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    small = (await ann.post(path, json=credit("999.99"))).json()
    large = (await ann.post(path, json=credit("1000.00", "FT-2"))).json()
    assert (small["approvers"], large["approvers"]) == (1, 2)
    first = (await answer(bob, large["id"])).json()
    assert (first["state"], len(first["answers"])) == ("open", 1)
    assert (await answer(bob, large["id"])).json()["code"] == "already_decided"
    assert await available(door, partner_id) == "0.00"
    mine = [
        one["id"] for one in (await bob.get("/api/v1/approvals?mine=true")).json()["items"] if one["yours_to_answer"]
    ]
    assert mine == [small["id"]]
    assert (await answer(cid, large["id"])).json()["state"] == "approved"
    assert await available(door, partner_id) == "1000.00"


async def test_a_request_made_under_a_stricter_policy_keeps_it(door: Door) -> None:
    partner_id = await door.lender()
    ann, bob = await person(door), await person(door)
    asked = (await ann.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=credit("500.00"))).json()
    await alone(door.database, "wallets.credit")
    assert await available(door, partner_id) == "0.00"
    assert (await answer(bob, asked["id"])).json()["state"] == "approved"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"act": "tea.drink"}, "unknown_act"),
        ({"act": "contacts.authorise", "approvers": 0, "from_minor": 0}, "somebody_else"),
        ({"act": "*", "approvers": 0, "from_minor": 0}, "somebody_else"),
        ({"currency": ""}, "currency_missing"),
        ({"approvers": 6}, "less_than_equal"),
        ({"from_minor": -1}, "greater_than_equal"),
        ({"remind_after": [10]}, "bad_reminder"),
        ({"expire_after": 0}, "greater_than_equal"),
    ],
)
async def test_a_policy_that_makes_no_sense_is_refused(door: Door, change: dict[str, Any], rule: str) -> None:
    refused = await door.admin.post("/api/v1/approval-rules/policies", json={**POLICY, **change})
    assert refused.status_code == 422
    assert [error["rule"] for error in refused.json()["errors"]] == [rule]


async def test_of_approvals_and_rejections_at_once_one_wins_and_the_others_hear_who(door: Door) -> None:
    partner_id = await door.lender()
    ann, *others = [await person(door) for _ in range(5)]
    asked = (await ann.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=credit("500.00"))).json()
    verbs = ("approve", "reject", "approve", "reject")
    answers = await asyncio.gather(*(answer(one, asked["id"], verb) for one, verb in zip(others, verbs, strict=True)))
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409]
    assert all(one.json()["facts"]["by"] for one in answers if one.status_code == 409)
    (decided,) = await door.rows(ApprovalDecision)
    assert await available(door, partner_id) == ("500.00" if decided.decision == "approve" else "0.00")


async def test_a_rejection_has_a_reason_and_ones_own_is_a_withdrawal(door: Door) -> None:
    partner_id = await door.lender()
    path = f"/api/v1/partners/{partner_id}/wallet/credits"
    ann, bob = await person(door), await person(door)
    asked = (await ann.post(path, json=credit("500.00"))).json()
    silent = await bob.post(f"/api/v1/approvals/{asked['id']}/reject", json={"reason": "  "})
    assert silent.status_code == 422
    assert (await answer(ann, asked["id"], "reject")).json()["state"] == "cancelled"
    anew = (await ann.post(path, json=credit("500.00"))).json()
    assert anew["id"] != asked["id"]
    ended = (await answer(bob, anew["id"], "reject")).json()
    assert (ended["state"], ended["note"]) == ("rejected", "nobody knows her")
    assert await available(door, partner_id) == "0.00"


async def test_an_answer_names_what_was_seen(door: Door) -> None:
    partner_id = await door.lender()
    ann, bob = await person(door), await person(door)
    asked = (await ann.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=credit("500.00"))).json()
    path = f"/api/v1/approvals/{asked['id']}/approve"
    stale = await bob.post(path, json={"version": "0" * 32})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_version")
    assert (await bob.post(path, json={"version": asked["version"]})).json()["state"] == "approved"


# ------------------------------------------------------------------------------------------------------- delegates


async def whose(visitor: httpx.AsyncClient, admin: httpx.AsyncClient) -> str:
    """The person behind a key."""
    keys = (await admin.get("/api/v1/keys?limit=200")).json()["items"]
    token = visitor.headers["Authorization"].removeprefix("Bearer ")
    return next(str(key["person_id"]) for key in keys if key["prefix"] == token.split("_")[1])


def period(from_person: str, to_person: str, since: timedelta = timedelta(minutes=-1)) -> dict[str, str]:
    begin = utc_now() + since
    return {
        "from_person": from_person, "to_person": to_person, "since": begin.isoformat(),
        "until": (begin + timedelta(days=7)).isoformat(),
    }  # fmt: skip


async def test_a_delegate_answers_for_a_time_and_is_one_person_with_who_delegated(door: Door) -> None:
    partner_id = await door.lender()
    ann, bob, cid = [await person(door) for _ in range(3)]
    helper = door.visitor(
        (
            await door.admin.post(
                "/api/v1/keys", json={"name": new_id("nam"), "new_person": "Dan", "scopes": ["wallets:credit"]}
            )
        ).json()["key"]
    )
    bobs, dans, anns = [await whose(one, door.admin) for one in (bob, helper, ann)]
    asked = (await ann.post(f"/api/v1/partners/{partner_id}/wallet/credits", json=credit("500.00"))).json()
    path = f"/api/v1/approvals/{asked['id']}/approve"
    as_bob = {"as_person": bobs}
    assert (await helper.post(path, json=as_bob)).json()["code"] == "no_delegation"
    own = await bob.post("/api/v1/approval-rules/delegations", json=period(anns, bobs))
    assert (own.status_code, own.json()["code"]) == (409, "own_delegation")
    later = await door.admin.post("/api/v1/approval-rules/delegations", json=period(bobs, dans, timedelta(hours=1)))
    assert later.status_code == 201, later.text
    assert (await helper.post(path, json=as_bob)).json()["code"] == "no_delegation"  # not yet
    made = await door.admin.post("/api/v1/approval-rules/delegations", json=period(bobs, dans))
    assert made.status_code == 201
    for_ann = await door.admin.post("/api/v1/approval-rules/delegations", json=period(anns, dans))
    assert for_ann.status_code == 201
    assert (await helper.post(path, json={"as_person": anns})).json()["code"] == "four_eyes"  # she asked
    ended = await door.admin.delete(f"/api/v1/approval-rules/delegations/{made.json()['id']}")
    assert ended.json()["revoked_at"] is not None
    assert (await helper.post(path, json=as_bob)).json()["code"] == "no_delegation"
    await door.admin.post("/api/v1/approval-rules/delegations", json=period(bobs, dans))
    done = (await helper.post(path, json=as_bob)).json()
    assert (done["state"], done["answers"][0]["person_id"], done["answers"][0]["on_behalf_of"]) == (
        "approved",
        dans,
        bobs,
    )
    assert (await cid.get(f"/api/v1/approvals/{asked['id']}")).json()["answers"][0]["name"] == "Dan"


@pytest.mark.parametrize(
    ("change", "rule"),
    [({"until": "2020-01-01T00:00:00Z"}, "bad_period"), ({"until": "2030-01-01T00:00:00Z"}, "bad_period")],
)
async def test_a_delegation_has_two_people_and_a_time(door: Door, change: dict[str, str], rule: str) -> None:
    one, two = new_id("psn"), new_id("psn")
    refused = await door.admin.post("/api/v1/approval-rules/delegations", json={**period(one, two), **change})
    assert [error["rule"] for error in refused.json()["errors"]] == [rule]
    same = await door.admin.post("/api/v1/approval-rules/delegations", json=period(one, one))
    assert [error["rule"] for error in same.json()["errors"]] == ["same_person"]
    nobody = await door.admin.post("/api/v1/approval-rules/delegations", json=period(one, two))
    assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (404, "from_person")
