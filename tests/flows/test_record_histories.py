"""Records golden histories of the saga's main paths. Runs only when asked: what is stored is history, not output."""

import json
import os

import pytest

from inbound.lending.loan_disbursement import Started
from tests.flows.lending.test_loan_disbursement_history import HISTORIES
from tests.support.house import House

pytestmark = pytest.mark.skipif("KIVUKO_RECORD_HISTORIES" not in os.environ, reason="records only when asked")


async def record(house: House, name: str, started: Started) -> None:
    history = await house.handle(started).fetch_history()
    stored = {"workflow_id": started.workflow_id, "history": history.to_json_dict()}
    (HISTORIES / f"{name}.json").write_text(json.dumps(stored, indent=1) + "\n")


async def test_record_a_payment_that_goes_well(house: House) -> None:
    started = await house.start(await house.approve_loan())
    await house.result(started)
    await record(house, "loan-disbursement-completed", started)


async def test_record_a_lost_callback(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    started = await house.start(await house.approve_loan())
    await house.result(started)
    await record(house, "loan-disbursement-status-asked", started)


async def test_record_a_second_attempt(house: House) -> None:
    await house.fault("daraja.b2c.send", "refuse", options={"code": "1"})
    started = await house.start(await house.approve_loan())
    await house.result(started)
    await record(house, "loan-disbursement-second-attempt", started)


async def test_record_a_failure(house: House) -> None:
    await house.fault("daraja.b2c.send", "refuse", options={"code": "2040"})
    started = await house.start(await house.approve_loan())
    await house.result(started)
    await record(house, "loan-disbursement-failed", started)


async def test_record_a_review(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "in_review")
    (payout,) = await house.payouts()
    await house.resolve(started, "paid", receipt=payout["receipt"])
    await house.result(started)
    await record(house, "loan-disbursement-reviewed", started)


async def test_record_a_wait_for_funds(house: House) -> None:
    await house.spend("990.00")
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")
    await house.fund("500.00", "top-up")
    await house.result(started)
    await record(house, "loan-disbursement-waited-for-funds", started)


async def test_record_a_posting_in_review(house: House) -> None:
    options = {"status": 403, "code": "error.msg.client.not.active.exception"}
    await house.fault("fineract.disburse", "refuse", options=options)
    started = await house.start(await house.approve_loan())
    await house.result(started)
    await record(house, "loan-disbursement-post-review", started)
