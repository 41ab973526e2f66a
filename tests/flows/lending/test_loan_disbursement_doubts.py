"""What a payout's leg believes, and what it asks about first: thin callbacks, false failures, impatience, long outages."""

from datetime import timedelta
from typing import Any

import pytest

from core.crypto import CallbackRoute, CallbackSigner
from core.ids import new_id
from inbound.lending.loan_disbursement import Started
from models.messages.saga.decisions import CommandTaken, RetryNow
from models.messages.saga.policies import DisbursementPolicy
from store.saga import cases, payouts
from tests.support.house import PHONE, QUICK, House
from tests.support.waiting import eventually


def patient(**more: Any) -> DisbursementPolicy:
    return QUICK.model_copy(update={"payout": QUICK.payout.model_copy(update=more)})


async def reference_of(house: House, started: Started) -> str:
    """The reference of its attempt, once that is on its way."""

    async def sent() -> str | None:
        async with house.database.transaction() as session:
            attempts = await payouts.of_workflow(session, started.workflow_id)
        return attempts[-1].reference if attempts and attempts[-1].state != "sending" else None

    found: str = await eventually(sent)
    return found


async def call_back(house: House, started: Started, **result: Any) -> None:
    """A callback at the payout's own address: whoever has the address can send it."""
    reference = await reference_of(house, started)
    signer = CallbackSigner([secret.get_secret_value() for secret in house.settings.security.callback_secrets])
    route = CallbackRoute(started.workflow_id, reference)
    body = {
        "ResultType": 0, "ResultCode": 0, "ResultDesc": "ok", "OriginatorConversationID": reference,
        "ConversationID": f"AG_{new_id('x')}", "TransactionID": "UKL4X7QW2D", **result,
    }  # fmt: skip
    answer = await house.http.post(f"{house.api_url}/cb/{signer.sign(route)}/out", json={"Result": body})
    assert answer.status_code == 200, answer.text


def parameters(receipt: str, amount: int | None = 12500, party: str | None = PHONE) -> dict[str, Any]:
    given = {
        "TransactionReceipt": receipt, "TransactionAmount": amount,
        "ReceiverPartyPublicName": party and f"{party} - WANJIRU ACHIENG",
    }  # fmt: skip
    return {"ResultParameter": [{"Key": key, "Value": value} for key, value in given.items() if value is not None]}


@pytest.mark.parametrize("missing", ["both", "amount", "party"])
async def test_a_success_that_does_not_say_how_much_went_to_whom_is_asked_about(house: House, missing: str) -> None:
    await house.fault("daraja.b2c.send", "system_error")  # nothing is paid
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan())
    thin = parameters(
        "UKL4X7QW2D",
        None if missing in ("both", "amount") else 12500,
        None if missing in ("both", "party") else PHONE,
    )
    await call_back(house, started, ResultParameters=thin)
    row = await house.until_stage(started, "in_review")
    assert (row.ended_at, await house.payouts()) == (None, [])


async def test_a_false_failure_of_a_large_payout_goes_to_review_when_nobody_confirms_it(house: House) -> None:
    """Ending unpaid on it would give back charges that are due, and let the client be paid a second time."""
    await house.fault("daraja.b2c.result", "contradict_before", options={"code": "2040", "seconds": 60})
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan("12500.00"))
    row = await house.until_stage(started, "in_review")
    assert (row.ended_at, len(await house.payouts())) == (None, 1)
    assert await house.cases() == ["payout_unknown"]


async def test_no_second_reference_is_made_while_a_large_failure_is_unconfirmed(house: House) -> None:
    await house.fault("daraja.b2c.result", "contradict_before", options={"code": "1", "seconds": 60})
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan("12500.00"))
    await house.until_stage(started, "in_review")
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a1")


async def test_a_small_failure_is_believed_though_nobody_confirms_it(house: House) -> None:
    await house.fault("daraja.b2c.send", "refuse", options={"code": "2040"})
    await house.fault("daraja.status.answer", "lose", times=100)
    _, result = await house.disburse("900.00")
    assert (result.ending, result.code) == ("failed", "2040")


async def test_impatience_uses_up_none_of_the_questions(house: House) -> None:
    """SCARS: pressing retry used up the status questions, then one key decided "not paid" and paid again."""
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=100)
    policy = patient(query_after=(timedelta(seconds=60),), answer_within=timedelta(seconds=0.2))
    started = await house.start(await house.approve_loan(), policy)
    await reference_of(house, started)

    async def waiting() -> bool:
        return (await house.status(started)).waiting_for == "the provider's report"

    await eventually(waiting)  # it was sent, and its answer is there
    for number in range(4):
        await house.handle(started).execute_update(
            "retry", RetryNow(actor="key_1"), id=f"again{number}", result_type=CommandTaken
        )

        async def asked(times: int = number + 1) -> bool:
            async with house.database.transaction() as session:
                found = await payouts.of_workflow(session, started.workflow_id)
            waits = (await house.status(started)).waiting_for
            exchanges = (await house.http.get("/faults")).json()["dealt"]
            return (
                bool(found) and waits == "the provider's report" and _dealt(exchanges, "daraja.status.answer") >= times
            )

        await eventually(asked)
    assert (await house.row(started)).stage == "paying"
    assert await house.cases() == []


def _dealt(dealt: Any, operation: str) -> int:
    """How often a fault of this operation was dealt."""
    if isinstance(dealt, dict):
        return sum(count for name, count in dealt.items() if operation in name)
    return sum(1 for one in dealt if operation in str(one))


async def test_a_case_opens_after_its_time_while_the_questions_go_on(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    policy = patient(query_after=(timedelta(seconds=3),), case_after=timedelta(seconds=0.3))
    loan_id = await house.approve_loan()
    started = await house.start(loan_id, policy)
    await house.until_stage(started, "in_review")
    assert await house.cases() == ["payout_unknown"]
    assert (await house.result(started)).ending == "completed"  # the question that was to come brought the answer
    assert await house.cases() == []


async def test_an_outage_longer_than_every_wait_only_makes_it_wait(house: House) -> None:
    """SCARS-like: a provider that was away for six hours ended loans for good although nothing had left."""
    await house.fault("daraja.token", "down", times=9)
    loan_id, result = await house.disburse(policy=patient(resend_after=(timedelta(seconds=0.1),)))
    assert result.ending == "completed"
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a1")
    assert len(await house.postings(loan_id)) == 1


async def test_what_is_no_longer_payable_after_a_wait_is_not_paid(house: House) -> None:
    await house.fault("daraja.token", "down", times=100)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id, patient(resend_after=(timedelta(seconds=0.3),)))

    async def waits() -> bool:
        return "nothing was sent yet" in ((await house.status(started)).waiting_for or "")

    await eventually(waits)
    await house.fineract(f"/loans/{loan_id}", "undoapproval", {})
    assert (await house.http.delete("/faults")).status_code < 300
    result = await house.result(started)
    assert (result.ending, result.code, await house.payouts()) == ("withdrawn", "loan_not_approved", [])
    await house.assert_books_balance()


# ------------------------------------------------------------------------------------------------------------ receipts


async def test_the_receipt_of_another_payout_proves_nothing_and_a_person_sees_both(house: House) -> None:
    first = await house.start(await house.approve_loan())
    assert (await house.result(first)).ending == "completed"
    (paid,) = await house.payouts()
    await house.fault("daraja.b2c.send", "system_error")  # nothing is paid
    await house.fault("daraja.status.answer", "lose", times=100)
    second = await house.start(await house.approve_loan())
    await call_back(house, second, TransactionID=paid["receipt"], ResultParameters=parameters(paid["receipt"]))

    async def told() -> bool:
        return "payout_contradiction" in await house.cases()

    await eventually(told)
    row = await house.until_stage(second, "in_review")
    assert (row.ended_at, row.receipts) == (None, [])
    assert len(await house.payouts()) == 1
    async with house.database.transaction() as session:
        (case,) = [one for one in await cases.page(session, state="open") if one.kind == "payout_contradiction"]
    shown = f"{case.summary} {case.evidence}"
    assert paid["receipt"] in shown
    assert paid["reference"] in shown


@pytest.mark.parametrize("receipt", ["K" * 5000, "UKL4X7QW2D\x1b[31m", "UKL 4X7 QW2D", "‮UKL4X7QW2D"])
async def test_a_receipt_that_is_none_is_a_case_at_once_and_never_a_receipt(house: House, receipt: str) -> None:
    await house.fault("daraja.b2c.send", "system_error")
    await house.fault("daraja.status.answer", "lose", times=100)
    started = await house.start(await house.approve_loan())
    await call_back(house, started, TransactionID=receipt, ResultParameters=parameters(receipt))
    row = await house.until_stage(started, "in_review")
    assert (row.ended_at, row.receipts) == (None, [])
    assert "payout_contradiction" in await house.cases()
