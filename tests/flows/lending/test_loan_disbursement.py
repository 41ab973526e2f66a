"""The table of cases of the loan disbursement: whatever goes wrong, the client is paid once or the charges return."""

import asyncio

import pytest

from core.money import Money
from models.messages.lending.loan_disbursement import DisbursementResult
from models.messages.saga.decisions import CommandTaken, RetryNow
from store.saga import payouts
from tests.support.house import PHONE, QUICK, House
from tests.support.waiting import eventually

FULL = Money.parse("1000.00", "KES")
CHARGED = Money.parse("977.00", "KES")  # 11 M-Pesa, 10 processing, 2 SMS


async def assert_paid_once(house: House, loan_id: int, result: DisbursementResult) -> None:
    """One payout of the right amount, one posting with its receipt, the charges captured, nothing held."""
    assert result.ending == "completed", result
    (payout,) = await house.payouts()
    assert (payout["amount"], payout["msisdn"]) == ("12500.00", PHONE)
    assert result.receipts == (payout["receipt"],)
    (posting,) = await house.postings(loan_id)
    assert posting["receiptNumber"] == payout["receipt"]
    assert (await house.loan(loan_id))["status"] == "active"
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (CHARGED, Money.zero("KES"))
    await house.assert_books_balance()


async def assert_nothing_happened(house: House, result: DisbursementResult, ending: str, code: str) -> None:
    """No payout, the charges returned, the lender told why."""
    assert (result.ending, result.code) == (ending, code)
    assert await house.payouts() == []
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (FULL, Money.zero("KES"))
    await house.assert_books_balance()

    async def lender_was_told() -> bool:
        return any("was not paid out" in message["text"] for message in await house.messages())

    await eventually(lender_was_told)


async def test_an_approved_loan_is_paid_posted_charged_and_told(house: House) -> None:
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)

    async def two_messages() -> bool:
        return len([m for m in await house.messages() if m["channel"] == "sms"]) == 2

    await eventually(two_messages)


@pytest.mark.parametrize(
    "action",
    [
        "timeout_after_execution",
        "upstream_text_after_execution",
        "html_after_execution",
        "empty_after_execution",
        "error_500_after_execution",
    ],
)
async def test_an_unreadable_answer_to_an_executed_payout_pays_once(house: House, action: str) -> None:
    """SCARS: a proxy's plain-text error is read as failure and the customer is paid twice; a timeout is marked failed."""
    await house.fault("daraja.b2c.send", action)
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_an_unreadable_answer_and_a_lost_callback_leave_one_payout_to_be_found(house: House) -> None:
    """Whoever takes the answer for "not sent" or "failed" runs out of tries here, or pays again."""
    await house.fault("daraja.b2c.send", "upstream_text_after_execution")
    await house.fault("daraja.b2c.result", "lose")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a1")


@pytest.mark.parametrize("action", ["spike_arrest", "spike_arrest_json", "quota", "invalid_token"])
async def test_what_is_known_not_sent_is_sent_again_under_the_same_reference(house: House, action: str) -> None:
    await house.fault("daraja.b2c.send", action, times=1)
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_a_token_that_cannot_be_had_means_that_nothing_was_sent(house: House) -> None:
    await house.fault("daraja.token", "down", times=2)
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a1")


async def test_a_lost_callback_is_found_out_by_asking(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_a_callback_that_overtakes_the_acknowledgement_counts(house: House) -> None:
    """SCARS: the result arrives before the acknowledgement and is overwritten by it."""
    await house.fault("daraja.b2c.result", "early")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


@pytest.mark.parametrize("action", ["duplicate", "as_strings", "timeout_notice_then_result", "timeout_notice_only"])
async def test_an_odd_callback_still_pays_once(house: House, action: str) -> None:
    await house.fault("daraja.b2c.result", action)
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_a_late_callback_is_waited_for(house: House) -> None:
    """SCARS: a retry makes a new id while the first result is only late."""
    await house.fault("daraja.b2c.result", "late", options={"seconds": 2.5})
    await house.fault("daraja.status.answer", "lose", times=50)
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)


async def test_a_failure_after_a_success_changes_nothing_and_opens_a_case(house: House) -> None:
    await house.fault("daraja.b2c.result", "contradict_after")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)

    async def case() -> bool:
        return await house.cases() == ["payout_contradiction"]

    await eventually(case)


async def test_a_success_with_another_amount_is_not_believed(house: House) -> None:
    await house.fault("daraja.b2c.result", "wrong_amount")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)  # the status answer has the right amount
    assert "payout_contradiction" in await house.cases()


async def test_a_large_success_is_believed_only_when_the_status_answer_agrees(house: House) -> None:
    careful = QUICK.model_copy(update={"payout": QUICK.payout.model_copy(update={"confirm_from_minor": 1_000_000})})
    loan_id, result = await house.disburse(policy=careful)
    await assert_paid_once(house, loan_id, result)

    await house.fault("daraja.b2c.send", "refuse", options={"code": "2040"})  # nothing is paid …
    forgery = {"known_ids": True, "amount": 12500}
    await house.fault("daraja.b2c.result", "forged", options=forgery)  # … but somebody who has the address says so
    second = await house.start(await house.approve_loan(), careful)
    outcome = await house.result(second)
    assert (outcome.ending, len(await house.payouts())) == ("failed", 1)


async def test_a_forged_address_changes_nothing(house: House) -> None:
    await house.fault("daraja.b2c.result", "forged_url")
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)
    assert await house.cases() == []


@pytest.mark.parametrize("code", ["2040", "SFC_IC0003", "2", "3"])
async def test_a_definite_failure_gives_the_charges_back(house: House, code: str) -> None:
    await house.fault("daraja.b2c.send", "refuse", options={"code": code})
    _, result = await house.disburse()
    await assert_nothing_happened(house, result, "failed", code)


async def test_a_gateway_refusal_gives_the_charges_back(house: House) -> None:
    await house.fault("daraja.b2c.send", "invalid_request")
    _, result = await house.disburse()
    assert result.ending == "failed"
    assert await house.payouts() == []
    assert (await house.wallet()).available == FULL


async def test_a_failure_that_may_pass_is_tried_again_under_a_new_reference(house: House) -> None:
    await house.fault("daraja.b2c.send", "refuse", options={"code": "1"})
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)
    (payout,) = await house.payouts()
    assert payout["reference"].endswith("-a2")


async def test_a_wrong_failure_is_discovered_before_a_new_attempt(house: House) -> None:
    """A failure report for a payout that was executed: a new reference would pay the client twice."""
    await house.fault("daraja.b2c.result", "contradict_before", options={"code": "1", "seconds": 20})
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)
    assert "payout_contradiction" in await house.cases()


async def test_a_wrong_last_failure_is_discovered(house: House) -> None:
    """A false failure whose reason allows no other attempt: ending unpaid on it would give back charges that are due."""
    await house.fault("daraja.b2c.result", "contradict_before", options={"code": "2040", "seconds": 20})
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)
    assert "payout_contradiction" in await house.cases()


async def test_silence_ends_in_review_and_a_person_resolves_it_as_paid(house: House) -> None:
    """SCARS: a timed-out payout is marked failed."""
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=100)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "in_review")
    assert (await house.wallet()).held == Money.parse("23.00", "KES")
    assert await house.cases() == ["payout_unknown"]
    (payout,) = await house.payouts()

    with pytest.raises(Exception, match="update failed"):
        await house.resolve(started, "paid")  # without its receipt
    await house.resolve(started, "paid", receipt=payout["receipt"])
    await assert_paid_once(house, loan_id, await house.result(started))
    assert await house.cases() == []


@pytest.mark.parametrize("action", ["system_error", "drop_before"])
async def test_what_was_never_executed_waits_for_a_person_too(house: House, action: str) -> None:
    """Nothing tells it from a lost answer: “not found” is not “failed”, so nobody guesses."""
    await house.fault("daraja.b2c.send", action)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "in_review")
    await house.resolved_by_two(started, "not_paid")
    await assert_nothing_happened(house, await house.result(started), "failed", "resolved_not_paid")


async def test_a_report_ends_the_review_by_itself(house: House) -> None:
    await house.fault("daraja.b2c.result", "late", options={"seconds": 6})
    await house.fault("daraja.status.answer", "lose", times=100)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "in_review")
    await assert_paid_once(house, loan_id, await house.result(started))
    assert await house.cases() == []


async def test_retry_in_review_asks_again(house: House) -> None:
    await house.fault("daraja.b2c.result", "lose")
    await house.fault("daraja.status.answer", "lose", times=3)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "in_review")
    await house.handle(started).execute_update("retry", RetryNow(actor="key_1"), id="again", result_type=CommandTaken)
    await assert_paid_once(house, loan_id, await house.result(started))


async def test_a_report_after_the_end_that_contradicts_opens_a_case(house: House) -> None:
    await house.fault("daraja.b2c.result", "contradict_after", options={"seconds": 3})
    loan_id, result = await house.disburse()
    await assert_paid_once(house, loan_id, result)

    async def case() -> bool:
        return await house.cases() == ["payout_contradiction"]

    await eventually(case)


async def test_cancelling_in_flight_does_not_interrupt_the_payment(house: House) -> None:
    await house.fault("daraja.b2c.result", "late", options={"seconds": 1})
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)

    async def waits() -> bool:
        return (await house.status(started)).waiting_for == "the provider's report"

    await eventually(waits)
    with pytest.raises(Exception, match="update failed"):
        await house.handle(started).execute_update("cancel_request", RetryNow(actor="key_1"), id="c1")
    await house.handle(started).cancel()
    await assert_paid_once(house, loan_id, await house.result(started))


async def test_cancelling_while_it_waits_gives_everything_back(house: House) -> None:
    await house.fault("daraja.token", "down", times=100)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)

    async def waits() -> bool:
        return "nothing was sent yet" in ((await house.status(started)).waiting_for or "")

    await eventually(waits)
    await house.handle(started).execute_update(
        "cancel_request", RetryNow(actor="key_1"), id="c1", result_type=CommandTaken
    )
    await assert_nothing_happened(house, await house.result(started), "failed", "cancelled")


async def test_poll_hook_and_api_together_start_one_saga(house: House) -> None:
    """SCARS: webhook and poller check different tables for "already seen": both pay one loan."""
    loan_id = await house.approve_loan()
    started = await asyncio.gather(
        *(house.start(loan_id, source=source) for source in ("poll", "hook", "api", "poll", "hook", "api"))
    )
    assert len({s.workflow_id for s in started}) == 1
    assert sum(s.created for s in started) == 1
    await assert_paid_once(house, loan_id, await house.result(started[0]))
    again = await house.start(loan_id)
    assert (again.created, again.workflow_id) == (False, started[0].workflow_id)


async def test_attempts_are_stored_before_they_are_sent(house: House) -> None:
    """SCARS: the payout row is written after the provider accepted: a crash in between is a payment without a trace."""
    await house.fault("daraja.b2c.send", "slow", options={"seconds": 0.7})
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)

    async def sending() -> bool:
        async with house.database.transaction() as session:
            return [a.state for a in await payouts.of_workflow(session, started.workflow_id)] == ["sending"]

    await eventually(sending)
    assert await house.payouts() == []
    await assert_paid_once(house, loan_id, await house.result(started))


async def test_a_blocked_credential_stops_the_batch_instead_of_locking_it(house: House) -> None:
    """SCARS: one expired initiator password fails, then locks, a whole batch."""
    await house.fault("daraja.b2c.send", "refuse", options={"code": "2001"})
    first = await house.start(await house.approve_loan())

    async def blocked() -> bool:
        answer = await house.connection_status("daraja")
        return answer == "blocked"

    await eventually(blocked)
    second = await house.start(await house.approve_loan("900.00"))
    await asyncio.sleep(0.5)
    assert await house.payouts() == []
    await house.unblock("daraja")
    for started in (first, second):
        assert (await house.result(started)).ending == "completed"
    assert len(await house.payouts()) == 2


async def test_the_policy_travels_with_the_saga(house: House) -> None:
    started = await house.start(await house.approve_loan())
    await house.result(started)
    history = await house.handle(started).fetch_history()
    sealed = history.events[0].workflow_execution_started_event_attributes.input.payloads
    (request,) = await house.client.data_converter.decode(sealed)
    assert request["policy"]["payout"]["query_after"] == ["PT0.6S"] * 3
    assert QUICK.payout.query_after[0].total_seconds() == 0.6
