"""The table of cases of the loan disbursement: what goes wrong, and that the client is paid once or the charges return."""

from core.money import Money
from tests.support.house import House
from tests.support.waiting import eventually


async def test_an_approved_loan_is_paid_posted_charged_and_told(house: House) -> None:
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    result = await house.result(started)

    assert result.ending == "completed"
    (payout,) = await house.payouts()
    assert (payout["amount"], payout["currency"], payout["msisdn"]) == ("12500.00", "KES", "254712345678")
    assert result.receipts == (payout["receipt"],)
    (posting,) = await house.postings(loan_id)
    assert posting["receiptNumber"] == payout["receipt"]
    assert (await house.loan(loan_id))["status"] == "active"
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (Money.parse("977.00", "KES"), Money.zero("KES"))
    row = await house.row(started)
    assert (row.stage, row.receipts, row.charges_minor) == ("completed", [payout["receipt"]], 2300)

    async def two_messages() -> bool:
        return len([m for m in await house.messages() if m["channel"] == "sms"]) == 2

    await eventually(two_messages)
    await house.assert_books_balance()
