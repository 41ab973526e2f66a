"""Fineract's hook: an unguessable address, a hint, and nothing but a hint (A3)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.http.dependencies import put_services
from api.http.rate_limit import RateLimit
from models.tables.lending.loan_disbursement import Disbursement
from models.tables.platform.traffic import InboxItem
from tests.api.conftest import Door

SECRET = "5f0c9a" * 8
SAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "golden" / "fineract" / "hook_loan_approved.json").read_text()
)["body"]


async def test_the_probe_is_answered_at_the_right_address_alone(door: Door) -> None:
    partner_id = await door.lender(hook_secret=SECRET)
    address = (await door.admin.get(f"/api/v1/partners/{partner_id}/hook")).json()["url"]
    assert address == f"{door.settings.callbacks.base_url}/cb/hooks/{SECRET}/"
    assert (await door.visitor().get(f"/cb/hooks/{SECRET}/")).status_code == 200
    for wrong in (SECRET[:-1], SECRET + "0", SECRET.upper(), "%00", "é"):
        assert (await door.visitor().get(f"/cb/hooks/{wrong}/")).status_code == 404
        assert (await door.visitor().post(f"/cb/hooks/{wrong}/", json=SAMPLE)).status_code == 404
    assert await door.rows(Disbursement) == []


async def test_an_approved_loan_is_looked_at_once_and_claimed_by_nobody_before(door: Door) -> None:
    partner_id = await door.lender(hook_secret=SECRET)
    for _ in range(3):
        answer = await door.visitor().post(f"/cb/hooks/{SECRET}/", json=SAMPLE)
        assert answer.status_code == 200
    assert await door.rows(Disbursement) == []
    look = door.client.get_workflow_handle(f"loan-look/{partner_id}/91")
    described = await look.describe()
    assert described.workflow_type == "LoanLook"
    assert described.raw_description.workflow_execution_info.priority.fairness_key == partner_id
    assert [(row.kind, row.outcome) for row in await door.rows(InboxItem)] == [("approved", "taken")] * 3
    await look.terminate("the test is over")


async def test_hints_beyond_their_limit_are_refused_and_those_of_others_are_not(door: Door) -> None:
    await door.lender(hook_secret=SECRET)
    await door.lender("Other Sacco", hook_secret=SECRET[::-1])
    put_services(door.app, replace(door.services, hints=RateLimit(12)))
    answers = [(await door.visitor().post(f"/cb/hooks/{SECRET}/", json={})).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    assert (await door.visitor().post(f"/cb/hooks/{SECRET[::-1]}/", json={})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {**SAMPLE, "actionName": "DISBURSE"},
        {**SAMPLE, "entityName": "CLIENT"},
        {key: value for key, value in SAMPLE.items() if key != "response"},  # a command that failed
        {**SAMPLE, "response": {"loanId": "91; DROP"}},
        {**SAMPLE, "response": {"loanId": 2**63}},
        {**SAMPLE, "response": {"loanId": -1}},
        {},
        [],
        "text",
    ],
)
async def test_other_events_are_taken_and_do_nothing(door: Door, body: Any) -> None:
    await door.lender(hook_secret=SECRET)
    assert (await door.visitor().post(f"/cb/hooks/{SECRET}/", json=body)).status_code == 200
    assert await door.rows(Disbursement) == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"entityName": NaN}'])
async def test_a_body_that_is_no_event_is_taken_and_does_nothing(door: Door, raw: bytes) -> None:
    await door.lender(hook_secret=SECRET)
    assert (await door.visitor().post(f"/cb/hooks/{SECRET}/", content=raw)).status_code == 200
    assert await door.rows(Disbursement) == []


async def test_a_suspended_partners_hook_starts_nothing(door: Door) -> None:
    partner_id = await door.lender(hook_secret=SECRET)
    await door.admin.patch(f"/api/v1/partners/{partner_id}", json={"status": "suspended"})
    assert (await door.visitor().post(f"/cb/hooks/{SECRET}/", json=SAMPLE)).status_code == 200
    assert await door.rows(Disbursement) == []


async def test_the_secret_is_in_no_log_line_and_no_metric(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    await door.lender(hook_secret=SECRET)
    await door.visitor().post(f"/cb/hooks/{SECRET}/", json=SAMPLE)
    await door.visitor().post(f"/cb/hooks/{SECRET}/", content=b"{")
    assert "hook_garbled" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in (await door.visitor().get("/metrics")).text
