"""Before anything is paid: the loan is re-read, limits are checked, charges held; what is missing is waited for."""

from core.money import Money
from models.messages.lending.loan_disbursement import DisbursementResult
from store.lending import loan_products
from store.saga import cases
from tests.support.house import House
from tests.support.waiting import eventually

FULL = Money.parse("1000.00", "KES")


async def set_product(house: House, **values: object) -> None:
    async with house.database.transaction() as session:
        product = await loan_products.get(session, house.partner_id, 1)
        assert product is not None
        for name, value in values.items():
            setattr(product, name, value)
        session.add(product)


async def assert_refused(house: House, result: DisbursementResult, ending: str, code: str) -> None:
    assert (result.ending, result.code) == (ending, code)
    assert await house.payouts() == []
    wallet = await house.wallet()
    assert (wallet.available, wallet.held) == (FULL, Money.zero("KES"))
    await house.assert_books_balance()


async def test_a_missing_phone_is_refused_and_named(house: House) -> None:
    """SCARS: the phone is read from a field that Fineract never sends."""
    _, result = await house.disburse(phone=None)
    await assert_refused(house, result, "refused", "invalid_msisdn")


async def test_a_malformed_phone_is_refused(house: House) -> None:
    _, result = await house.disburse(phone="07-none-yet")
    await assert_refused(house, result, "refused", "invalid_msisdn")


async def test_a_phone_as_people_type_it_is_understood(house: House) -> None:
    _, result = await house.disburse(phone="0712 345 678")
    assert result.ending == "completed"
    assert [payout["msisdn"] for payout in await house.payouts()] == ["254712345678"]


async def test_a_product_that_is_not_enabled_is_refused(house: House) -> None:
    await set_product(house, enabled=False)
    _, result = await house.disburse()
    await assert_refused(house, result, "refused", "product_not_enabled")


async def test_cents_that_m_pesa_cannot_carry_are_refused(house: House) -> None:
    _, result = await house.disburse("12500.50")
    assert (result.ending, await house.payouts()) == ("refused", [])


async def test_a_loan_above_the_maximum_goes_out_in_parts_and_is_posted_once(house: House) -> None:
    await set_product(house, max_minor=500_000, above_maximum="split")
    loan_id, result = await house.disburse("12500.00")
    assert result.ending == "completed"
    assert sorted(payout["amount"] for payout in await house.payouts()) == ["2500.00", "5000.00", "5000.00"]
    (posting,) = await house.postings(loan_id)
    assert posting["receiptNumber"] == ",".join(result.receipts)
    assert (await house.wallet()).available == Money.parse("961.00", "KES")  # three fees of 9, 10 and 2
    await house.assert_books_balance()


async def test_the_daily_limit_makes_the_second_loan_wait(house: House) -> None:
    await set_product(house, daily_minor=2_000_000)
    _, first = await house.disburse("12500.00")
    second = await house.start(await house.approve_loan("12500.00"))
    await house.until_stage(second, "waiting_limit")
    assert first.ending == "completed"
    assert len(await house.payouts()) == 1
    await set_product(house, daily_minor=9_000_000)
    await house.retry(second)
    assert (await house.result(second)).ending == "completed"


async def test_a_wallet_too_low_waits_tells_the_lender_and_goes_on_after_a_top_up(house: House) -> None:
    await house.spend("990.00")
    started = await house.start(await house.approve_loan())
    await house.until_stage(started, "waiting_funds")
    assert await house.payouts() == []

    async def told() -> bool:
        return any("wallet is too low" in message["text"] for message in await house.messages())

    await eventually(told)
    (text,) = [message["text"] for message in await house.messages() if "wallet is too low" in message["text"]]
    assert "KES 23.00 needed, KES 10.00 available, KES 13.00 missing" in text
    async with house.database.transaction() as session:
        (case,) = await cases.page(session, state="open")
    assert (case.kind, case.workflow_id, case.actions) == ("waiting_funds", started.workflow_id, ["retry"])
    assert case.evidence["amount"] == "KES 12,500.00"
    assert case.evidence["missing"] == "KES 13.00"
    await house.fund("500.00", "top-up")
    assert (await house.result(started)).ending == "completed"
    assert await house.cases() == []  # it closed itself
    assert (await house.wallet()).available == Money.parse("487.00", "KES")
    await house.assert_books_balance()


async def test_many_waiting_loans_send_one_message_about_the_wallet(house: House) -> None:
    await house.spend("990.00")
    waiting = [await house.start(await house.approve_loan("900.00")) for _ in range(4)]
    for started in waiting:
        await house.until_stage(started, "waiting_funds")
    await house.fund("500.00", "top-up")
    for started in waiting:
        assert (await house.result(started)).ending == "completed"
    short = [m for m in await house.messages() if "wallet is too low" in m["text"]]
    assert len(short) == 1


async def test_the_low_balance_alert_comes_once_per_crossing(house: House) -> None:
    await house.spend("860.00")  # 140 left, the alert is at 100: the second loan crosses it
    for _ in range(4):
        await house.disburse("900.00")
    await house.fund("500.00", "top-up")
    await house.disburse("900.00")  # above again: the crossing is over

    async def alerts() -> list[str]:
        return [m["text"] for m in await house.messages() if m["channel"] == "sms" and "wallet is low" in m["text"]]

    await eventually(alerts)
    assert len(await alerts()) == 1


async def test_a_loan_undone_in_the_meantime_is_not_paid(house: House) -> None:
    await house.spend("990.00")
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    await house.until_stage(started, "waiting_funds")
    await house.fineract(f"/loans/{loan_id}", "undoapproval", {})
    await house.fund("990.00", "top-up")
    await assert_refused(house, await house.result(started), "withdrawn", "loan_not_approved")


async def test_a_loan_undone_and_approved_again_is_paid_by_a_new_saga(house: House) -> None:
    loan_id = await house.approve_loan()
    await house.fineract(f"/loans/{loan_id}", "undoapproval", {})
    first = await house.start(loan_id, source="poll")
    assert (await house.result(first)).code == "loan_not_approved"
    today = (await house.loan(loan_id))["submittedOn"]
    await house.fineract(
        f"/loans/{loan_id}", "approve", {"approvedOnDate": today, "locale": "en", "dateFormat": "yyyy-MM-dd"}
    )
    second = await house.start(loan_id, source="poll")
    assert second.workflow_id == f"{first.workflow_id}.2"
    assert (await house.result(second)).ending == "completed"


async def test_a_loan_disbursed_by_a_person_before_the_payout_is_not_paid(house: House) -> None:
    loan_id = await house.approve_loan()
    today = (await house.loan(loan_id))["approvedOn"]
    await house.fineract(
        f"/loans/{loan_id}", "disburse", {"actualDisbursementDate": today, "locale": "en", "dateFormat": "yyyy-MM-dd"}
    )
    result = await house.result(await house.start(loan_id))
    await assert_refused(house, result, "withdrawn", "disbursed_elsewhere")


async def test_fineract_down_before_the_payout_is_waited_for(house: House) -> None:
    loan_id = await house.approve_loan()
    await house.fault("fineract.read", "down", times=6)
    result = await house.result(await house.start(loan_id))
    assert result.ending == "completed"


async def test_the_net_amount_is_paid_and_the_gross_amount_posted(house: House) -> None:
    loan_id, result = await house.disburse("12500.00", netDisbursalAmount="12000.00")
    assert result.ending == "completed"
    assert [payout["amount"] for payout in await house.payouts()] == ["12000.00"]
    (posting,) = await house.postings(loan_id)
    assert Money.parse(str(posting["amount"]), "KES") == Money.parse("12500.00", "KES")
