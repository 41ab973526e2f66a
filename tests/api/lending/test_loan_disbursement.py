"""Disbursements at the front door: one per loan, waited for, commanded in time or refused in plain words."""

import asyncio
import time
from datetime import timedelta

import httpx
import pytest

from core.money import Money
from models.messages.saga.policies import DisbursementPolicy, PayoutPolicy
from models.tables.lending.loan_disbursement import Disbursement
from temporal import commands
from tests.api.conftest import Door
from tests.support.approving import alone
from tests.support.house import House
from tests.support.waiting import eventually

# Nothing is asked and nothing ends by itself: the saga is soon in review, where a person decides.
PARKED = DisbursementPolicy(
    payout=PayoutPolicy(
        query_after=(timedelta(seconds=0.2),),
        answer_within=timedelta(seconds=0.2),
        send_within=timedelta(seconds=3),
        settlement_window=timedelta(seconds=0.2),
    )
)


async def test_a_loan_is_accepted_once_whoever_asks_and_however_often(door: Door) -> None:
    partner_id = await door.lender()
    visitor = await door.key("disbursements:write", "disbursements:read", partner_id=partner_id)
    answers = await asyncio.gather(*(visitor.post("/api/v1/disbursements", json={"loan_id": 91}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    row = answers[0].json()
    assert {answer.headers["location"] for answer in answers} == {f"/api/v1/disbursements/{row['id']}"}
    assert (row["partner_id"], row["loan_id"], row["stage"]) == (partner_id, 91, "requested")
    assert len(await door.rows(Disbursement)) == 1
    assert len(await door.audit("disbursements.create")) == 1
    described = await door.client.get_workflow_handle(row["workflow_id"]).describe()
    assert described.id == row["workflow_id"]
    listed = (await visitor.get("/api/v1/disbursements?stage=requested")).json()["items"]
    assert [one["id"] for one in listed] == [row["id"]]


async def test_a_suspended_partner_starts_nothing(door: Door) -> None:
    partner_id = await door.lender()
    await door.admin.patch(f"/api/v1/partners/{partner_id}", json={"status": "suspended"})
    answer = await door.admin.post("/api/v1/disbursements", json={"partner_id": partner_id, "loan_id": 91})
    assert (answer.status_code, answer.json()["code"]) == (403, "partner_suspended")


async def test_a_saga_that_says_nothing_is_shown_from_its_row(door: Door) -> None:
    partner_id = await door.lender()
    made = await door.admin.post("/api/v1/disbursements", json={"partner_id": partner_id, "loan_id": 91})
    shown = await door.admin.get(f"/api/v1/disbursements/{made.json()['id']}")
    assert (shown.status_code, shown.json()["saga"], shown.json()["stage"]) == (200, None, "requested")
    events = await door.admin.get(f"/api/v1/disbursements/{made.json()['id']}/events")
    assert [event["key"] for event in events.json()["items"]] == ["requested"]


async def test_waiting_ends_at_our_bound(door: Door) -> None:
    partner_id = await door.lender()
    made = await door.admin.post("/api/v1/disbursements", json={"partner_id": partner_id, "loan_id": 91})
    started = time.monotonic()
    answer = await door.admin.get(f"/api/v1/disbursements/{made.json()['id']}?wait=60", timeout=30)
    assert answer.json()["ended"] is False
    assert 1.9 < time.monotonic() - started < 10


async def test_a_loan_is_accepted_while_temporal_is_away_and_started_later(door: Door) -> None:
    partner_id = await door.lender()
    body = {"partner_id": partner_id, "loan_id": 91}
    async with door.without_temporal():
        made = await door.admin.post("/api/v1/disbursements", json=body)
        shown = await door.admin.get(made.headers["location"])
        fetched = await door.admin.post(f"/api/v1/partners/{partner_id}/loan-products/fetch")
        made_again = await door.admin.post("/api/v1/disbursements", json=body)
    assert (made.status_code, made_again.status_code) == (202, 200)
    assert (shown.status_code, shown.json()["stage"]) == (200, "requested")
    assert (fetched.status_code, fetched.json()["code"]) == (503, "temporal_unavailable")
    again = await door.admin.post("/api/v1/disbursements", json=body)
    assert again.json()["id"] == made.json()["id"]
    assert (await door.client.get_workflow_handle(again.json()["workflow_id"]).describe()).id


async def test_a_command_without_a_worker_says_so_and_leaves_its_trace(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "TIMEOUT", timedelta(seconds=0.5))
    partner_id = await door.lender()
    made = await door.admin.post("/api/v1/disbursements", json={"partner_id": partner_id, "loan_id": 91})
    answer = await door.admin.post(f"/api/v1/disbursements/{made.json()['id']}/cancel", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "saga_busy")
    assert int(answer.headers["retry-after"]) >= 1
    assert len(await door.audit("disbursements.cancel_request")) == 1
    (refused,) = await door.audit("disbursements.cancel_request.refused")
    assert refused.after == {"code": "saga_busy"}


# ----------------------------------------------------------------------------------------------------- whole house


async def test_a_loan_is_followed_from_request_to_receipt(house: House, house_admin: httpx.AsyncClient) -> None:
    loan_id = await house.approve_loan()
    made = await house_admin.post("/api/v1/disbursements", json={"partner_id": house.partner_id, "loan_id": loan_id})
    assert made.status_code == 202
    path = made.headers["location"]
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["ended"]) == ("completed", True)
    assert done["paid"] == {"amount": "12500.00", "currency": "KES"}
    (attempt,) = done["attempts"]
    assert (attempt["state"], attempt["to"]) == ("paid", "+2547•••••678")
    assert done["receipts"] == [attempt["receipt"]]
    assert done["charge_state"] == {"state": "captured", "total": {"amount": "23.00", "currency": "KES"}, "held": []}
    assert done["saga"] is None
    assert "254712345678" not in (await house_admin.get(path)).text
    events = (await house_admin.get(f"{path}/events")).json()["items"]
    assert events[0]["key"] == "requested"
    again = await house_admin.post("/api/v1/disbursements", json={"partner_id": house.partner_id, "loan_id": loan_id})
    assert (again.status_code, again.json()["id"]) == (200, done["id"])
    for command in ("retry", "cancel"):
        late = await house_admin.post(f"{path}/{command}", json={})
        assert (late.status_code, late.json()["code"]) == (409, "ended")
    exchanges = (await house_admin.get("/api/v1/exchanges", params={"workflow_id": done["workflow_id"]})).json()[
        "items"
    ]
    assert exchanges


async def test_a_payout_in_review_is_resolved_by_a_person_with_evidence(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=50)
    started = await house.start(await house.approve_loan(), PARKED)
    await house.until_stage(started, "in_review")
    path = f"/api/v1/disbursements/{started.disbursement_id}"

    shown = (await house_admin.get(path)).json()
    assert shown["saga"]["stage"] == "in_review"
    assert shown["saga"]["waiting_for"]
    assert shown["saga"]["legs"][0]["to"] == "+2547•••••678"
    assert shown["charge_state"]["state"] == "held"
    assert {line["charge"] for line in shown["charge_state"]["held"]}

    said = {"decision": "paid", "evidence": "portal, line 14: completed"}
    missing = await house_admin.post(f"{path}/resolve", json=said)
    assert (missing.status_code, missing.json()["code"]) == (422, "receipt_missing")
    assert missing.json()["errors"][0]["field"] == "receipt"
    wrong = await house_admin.post(f"{path}/resolve", json={**said, "decision": "posted"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "wrong_stage")
    cancel = await house_admin.post(f"{path}/cancel", json={})
    assert (cancel.status_code, cancel.json()["code"]) == (409, "wrong_stage")

    (payout,) = await house.payouts()
    answers = await asyncio.gather(
        *(
            house_admin.post(
                f"{path}/resolve",
                json={**said, "receipt": payout["receipt"]},
                headers={"Idempotency-Key": "resolve-1"},
            )
            for _ in range(2)
        )
    )
    assert 200 in {answer.status_code for answer in answers}
    assert {answer.status_code for answer in answers} <= {200, 409}
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["receipts"]) == ("completed", [payout["receipt"]])
    replayed = await house_admin.post(
        f"{path}/resolve", json={**said, "receipt": payout["receipt"]}, headers={"Idempotency-Key": "resolve-1"}
    )
    assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (200, "true")


async def test_a_receipt_of_another_payout_does_not_resolve_this_one(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    _, first = await house.disburse("900.00")
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=50)
    started = await house.start(await house.approve_loan(), PARKED)
    await house.until_stage(started, "in_review")
    answer = await house_admin.post(
        f"/api/v1/disbursements/{started.disbursement_id}/resolve",
        json={"decision": "paid", "evidence": "portal", "receipt": first.receipts[0]},
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "receipt_taken")
    assert answer.json()["errors"][0]["field"] == "receipt"
    assert (await house.row(started)).stage == "in_review"


async def test_a_credit_wakes_what_waits_for_money(house: House, house_admin: httpx.AsyncClient) -> None:
    await house_admin.put(
        f"/api/v1/partners/{house.partner_id}/loan-products/1",
        json={
            "enabled": True,
            "minimum": {"amount": "100", "currency": "KES"},
            "maximum": {"amount": "150000", "currency": "KES"},
        },
    )
    await house_admin.post(
        "/api/v1/tariffs",
        json={
            "bands": [
                {
                    "charge": "processing",
                    "partner_id": house.partner_id,
                    "from_amount": {"amount": "0", "currency": "KES"},
                    "to_amount": {"amount": "250000", "currency": "KES"},
                    "fee": {"amount": "1500", "currency": "KES"},
                    "valid_from": "2025-01-01T00:00:00Z",
                }
            ]
        },
    )
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")
    await alone(house.database, "wallets.credit")
    path = f"/api/v1/partners/{house.partner_id}/wallet/credits"
    body = {"amount": {"amount": "5000", "currency": "KES"}, "reference": "FT-1"}
    assert (await house_admin.post(path, json=body)).status_code == 201
    assert (await house.result(started)).ending == "completed"


async def test_what_waits_for_money_can_be_cancelled_and_gives_everything_back(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    band = {
        "charge": "processing", "partner_id": house.partner_id, "valid_from": "2025-01-01T00:00:00Z",
        "from_amount": {"amount": "0", "currency": "KES"}, "to_amount": {"amount": "250000", "currency": "KES"},
        "fee": {"amount": "1500", "currency": "KES"},
    }  # fmt: skip
    assert (await house_admin.post("/api/v1/tariffs", json={"bands": [band]})).status_code == 201
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")

    async def waits() -> bool:  # its row said so a moment before
        return (await house.status(started)).stage == "waiting_funds"

    await eventually(waits)
    path = f"/api/v1/disbursements/{started.disbursement_id}"
    taken = await house_admin.post(f"{path}/cancel", json={"note": "the lender asks for it"})
    assert (taken.status_code, taken.json()["stage"]) == (200, "waiting_funds")
    done = (await house_admin.get(path, params={"wait": "20"})).json()
    assert (done["stage"], done["reason_code"]) == ("withdrawn", "cancelled")
    assert await house.payouts() == []
    assert (await house.wallet()).held.minor == 0


async def test_money_that_is_told_of_twice_serves_one_waiting_loan(
    house: House, house_admin: httpx.AsyncClient
) -> None:
    await house.spend("1000.00")
    first, second = [await house.start(await house.approve_loan("900.00")) for _ in range(2)]
    for loan in (first, second):
        await house.until_stage(loan, "waiting_funds")
    await alone(house.database, "wallets.credit")
    path = f"/api/v1/partners/{house.partner_id}/wallet/credits"
    body = {"amount": {"amount": "20.00", "currency": "KES"}, "reference": "FT-1"}  # each loan's charges are 17.00
    answers = [await house_admin.post(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert (await house.result(first)).ending == "completed"
    assert (await house.row(second)).stage == "waiting_funds"
    assert (await house.wallet()).available == Money.parse("3.00", "KES")
