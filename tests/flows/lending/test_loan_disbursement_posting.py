"""After the client is paid: Fineract books it once, whatever Fineract does; charges are captured in the end."""

import asyncio

import pytest

from core.money import Money
from models.messages.lending.loan_disbursement import DisbursementResult
from tests.support.house import House
from tests.support.waiting import eventually


async def assert_posted_once(house: House, loan_id: int, result: DisbursementResult) -> None:
    assert result.ending == "completed", result
    (payout,) = await house.payouts()
    (posting,) = await house.postings(loan_id)
    assert posting["receiptNumber"] == payout["receipt"]
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (Money.parse("977.00", "KES"), Money.zero("KES"))
    await house.assert_books_balance()


@pytest.mark.parametrize(
    "action",
    [
        "timeout_after_commit",
        "error_500_after_commit",
        "html_502_after_commit",
        "error_500_before",
        "locked",
        "still_processing_425",
        "conflict_409",
    ],
)
async def test_fineract_trouble_posts_exactly_once(house: House, action: str) -> None:
    """SCARS: posting back fails, the failure is only logged, the loan is detected again."""
    await house.fault("fineract.disburse", action)
    loan_id, result = await house.disburse()
    await assert_posted_once(house, loan_id, result)


async def test_a_refusal_becomes_a_case_and_goes_on_by_itself_when_mended(house: House) -> None:
    """A failure is sticky under its Idempotency-Key: the next try must use a new one."""
    await house.fault(
        "fineract.disburse",
        "refuse",
        options={"status": 403, "code": "error.msg.client.not.active.exception"},
    )
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "post_review")
    assert await house.cases() == ["post_failed"]
    assert (await house.wallet()).held == Money.parse("23.00", "KES")
    await assert_posted_once(house, loan_id, await house.result(started))
    assert await house.cases() == []


async def test_maker_checker_is_not_taken_for_done(house: House) -> None:
    await house.fault("fineract.disburse", "maker_checker", times=100)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "post_review")
    assert await house.postings(loan_id) == []
    await house.resolve(started, "posted", transaction_id=77)
    result = await house.result(started)
    assert (result.ending, result.transaction_id) == ("completed", 77)
    assert (await house.wallet()).held == Money.zero("KES")


async def test_a_person_who_disbursed_by_hand_meanwhile_leads_to_a_case_not_to_a_second_posting(house: House) -> None:
    await house.fault("fineract.disburse", "disbursed_by_person_first")
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    row = await house.until_stage(started, "post_review")
    assert row.reason_code == "disbursed_elsewhere"
    assert len(await house.postings(loan_id)) == 1

    async def told() -> bool:
        return await house.cases() == ["paid_twice", "post_failed"]

    await eventually(told)
    await house.resolve(started, "posted")
    assert (await house.result(started)).ending == "completed"
    assert len(await house.postings(loan_id)) == 1
    assert await house.cases() == ["paid_twice"], "a person must still ask who has the money"


async def test_a_loan_undone_after_the_payout_leads_to_a_case(house: House) -> None:
    await house.fault("fineract.disburse", "undone_by_person_first")
    started = await house.start(await house.approve_loan())
    row = await house.until_stage(started, "post_review")
    assert row.reason_code == "loan_not_approved"
    assert len(await house.payouts()) == 1


async def test_a_decision_that_does_not_fit_the_stage_is_refused(house: House) -> None:
    await house.fault("fineract.disburse", "maker_checker", times=100)
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "post_review")
    with pytest.raises(Exception, match="update failed"):
        await house.resolve(started, "not_paid")
    await asyncio.sleep(0)
    assert (await house.row(started)).stage == "post_review"
