"""A customer's payment: every way it may be announced, each leading to one booking on the account that it names."""

import time

import httpx
import pytest

from core.clock import utc_now
from core.ids import INCOMING, new_id
from models.messages.saga.decisions import Allocation
from models.tables.lending.customer_collection import Collection
from models.tables.saga.incoming_payment import IncomingPayment
from tests.support.customers import (
    MANY,
    assert_booked_once,
    booked,
    confirm_path,
    kes,
    lose,
    own_saga,
    prompts,
    pull,
    set_connection,
    unplaced,
    until_case,
)
from tests.support.house import PHONE, House
from tests.support.lender import SHORTCODE
from tests.support.money_in import MoneyDesk, confirmation
from tests.support.waiting import eventually


async def confirm(house: House, desk: MoneyDesk, **fields: str) -> None:
    """M-Pesa confirms a payment at the lender's secret address."""
    async with httpx.AsyncClient(verify=False, base_url=house.api_url) as mpesa:
        body = {**confirmation(), "BusinessShortCode": SHORTCODE, **fields}
        answer = await mpesa.post(await confirm_path(desk), json=body)
    assert answer.status_code == 200
    assert answer.json()["ResultCode"] == 0


async def note(house: House, row: Collection, receipt: str, amount_minor: int) -> None:
    """A payment is written down for a saga, and whoever did so dies before telling it."""
    now = utc_now()
    noted = IncomingPayment(
        id=new_id(INCOMING), partner_id=house.partner_id, provider="daraja", external_id=receipt, account=SHORTCODE,
        amount_minor=amount_minor, currency="KES", reference=row.payer_reference or "", payer_name="", happened_at=now,
        announced=["confirmation"], claimed_by=row.workflow_id, created_at=now, updated_at=now,
    )  # fmt: skip
    async with house.database.transaction() as session:
        session.add(noted)


# ------------------------------------------------------------------------------------------------------------- paybill


async def test_a_paybill_payment_repays_the_loan_it_names(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    assert paid["accepted"], paid
    row = await desk.of_receipt(paid["receipt"])
    assert (row.stage, row.channel, row.amount_minor) == ("completed", "paybill", 150_000)
    await assert_booked_once(desk, row, loan, "1500.00")


async def test_a_confirmation_without_a_validation_is_booked(house: House, desk: MoneyDesk) -> None:
    """SCARS: a confirmation is refused because no validation came first."""
    await house.fault("daraja.c2b.validation", "skip")
    account = await desk.savings()
    paid = await desk.paybill("700", account["accountNo"])
    assert paid["decided_by"] == "nobody"
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), account, "700.00")


async def test_a_confirmation_told_five_times_is_booked_once(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.c2b.confirmation", "duplicate", options={"times": 5})
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")
    assert len(await desk.collections()) == 1


async def test_confirmations_out_of_order_are_two_payments_of_one_customer(house: House, desk: MoneyDesk) -> None:
    """SCARS: duplicate heuristics (same amount, same day) block honest repeats."""
    await house.fault("daraja.c2b.confirmation", "late", options={"seconds": 0.8})
    loan = await desk.loan("5000.00")
    first, second = [await desk.paybill("1500", loan["accountNo"]) for _ in range(2)]
    for paid in (second, first):
        assert (await desk.of_receipt(paid["receipt"])).stage == "completed"
    assert sorted(await booked(desk, loan)) == sorted(("1500.00", paid["receipt"]) for paid in (first, second))


async def test_the_pull_finds_a_payment_whose_confirmation_was_lost(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    assert await pull(desk, until=1) == 1
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")
    assert await pull(desk) == 0


async def test_an_odd_row_of_the_pull_hides_no_payment_and_is_shown_to_a_person_once(
    house: House, desk: MoneyDesk
) -> None:
    odd = [
        {"transactionId": "UKL9SETTLE", "trxDate": "2026-11-21 09:14:55", "amount": "90000.00",
         "transactiontype": "Organization Settlement Account Transfer"},
        {"transactionId": "UKL9BAD123", "trxDate": "2026-11-21 09:14:55", "amount": "?"},
    ]  # fmt: skip
    await house.http.patch("/daraja/simulator/behaviour", json={"pull_odd_rows": odd})
    await lose(house, "confirmation")
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    assert await pull(desk, until=1) == 1
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")
    await pull(desk)
    assert await house.cases() == ["payment_row_unreadable"]
    assert [payment.external_id for payment in await desk.incoming()] == [paid["receipt"]]


async def test_a_confirmation_after_the_pull_changes_nothing(house: House, desk: MoneyDesk) -> None:
    await house.fault("daraja.c2b.confirmation", "late", options={"seconds": 3})
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    await pull(desk, until=1)
    row = await desk.of_receipt(paid["receipt"])

    async def both() -> bool:
        return [payment.announced for payment in await desk.incoming()] == [["pull", "confirmation"]]

    await eventually(both)
    await assert_booked_once(desk, row, loan, "1500.00")
    assert await house.undelivered() == []


async def test_a_pull_tells_a_saga_again_of_a_payment_that_was_noted_for_it_and_no_more(
    house: House, desk: MoneyDesk
) -> None:
    """A pull that dies between its note of the payment and its word to the saga."""
    await lose(house, "callback", "confirmation")
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await desk.until(begun, "in_review")
    (taken,) = await desk.collected()
    await note(house, begun, taken["receipt"], 150_000)
    await pull(desk, until=1)
    await assert_booked_once(desk, await desk.ended(begun), loan, "1500.00")


async def test_a_confirmation_for_another_short_code_is_kept_for_a_person(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    await confirm(house, desk, BusinessShortCode="600123", BillRefNumber=loan["accountNo"])
    await until_case(house, "announcement_unreadable")
    assert await booked(desk, loan) == []
    assert await desk.incoming() == []


async def test_a_confirmation_that_cannot_be_read_is_kept_for_a_person(house: House, desk: MoneyDesk) -> None:
    await confirm(house, desk, TransAmount="a lot")
    await until_case(house, "announcement_unreadable")
    assert await desk.incoming() == []


# ---------------------------------------------------------------------------------------------------------- validation


async def test_an_account_that_nobody_has_is_refused(house: House, desk: MoneyDesk) -> None:
    paid = await desk.paybill("1500", "999999")
    assert (paid["accepted"], paid["decided_by"], paid["code"]) == (False, "validation", "C2B00012")
    assert await desk.collected() == []


async def test_a_validation_is_answered_in_time_although_fineract_is_slow(house: House, desk: MoneyDesk) -> None:
    """A payment that cannot be checked in time is accepted: M-Pesa waits for about eight seconds."""
    await set_connection(desk, "fineract", patience={"read_seconds": 20})
    await house.fault("fineract.search", "slow", options={"seconds": 9})
    loan = await desk.loan("5000.00")
    started = time.monotonic()
    paid = await desk.paybill("1500", loan["accountNo"])
    assert time.monotonic() - started < 7
    assert (paid["accepted"], paid["decided_by"]) == (True, "validation")
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")


async def test_a_validation_is_answered_in_time_although_nobody_works(house: House, desk: MoneyDesk) -> None:
    await house.stop_workers()
    loan = await desk.loan("5000.00")
    started = time.monotonic()
    paid = await desk.paybill("1500", loan["accountNo"])
    assert time.monotonic() - started < 7
    assert (paid["accepted"], paid["decided_by"]) == (True, "validation")
    await house.start_workers()
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")


async def test_fineract_down_accepts_what_it_could_have_refused(house: House, desk: MoneyDesk) -> None:
    await house.fault("fineract.search", "down")
    paid = await desk.paybill("1500", "999999")
    assert (paid["accepted"], paid["decided_by"]) == (True, "validation")
    assert (await unplaced(desk, "unknown_account")).receipt == paid["receipt"]


async def test_a_lender_may_have_unknown_accounts_accepted(house: House, desk: MoneyDesk) -> None:
    await set_connection(desk, "daraja", reject_unknown_accounts=False)
    paid = await desk.paybill("1500", "999999")
    assert paid["accepted"]
    assert (await unplaced(desk, "unknown_account")).receipt == paid["receipt"]


# -------------------------------------------------------------------------------------------- two channels, one payment


async def test_a_prompted_payment_is_booked_once_although_two_channels_announce_it(
    house: House, desk: MoneyDesk
) -> None:
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    await assert_booked_once(desk, row, loan, "1500.00")


@pytest.mark.parametrize(
    ("late", "order"),
    [
        ("daraja.c2b.confirmation", ["callback", "confirmation"]),
        ("daraja.stk.callback", ["confirmation"]),  # the callback is news of the prompt alone, its payment is known
    ],
)
async def test_callback_and_confirmation_in_either_order_are_one_payment(
    house: House, desk: MoneyDesk, late: str, order: list[str]
) -> None:
    """SCARS: an STK payment and its C2B confirmation are booked as two payments."""
    await house.fault(late, "late", options={"seconds": 1.5})
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))

    async def everything_is_told() -> bool:
        told = [payment.announced for payment in await desk.incoming()] == [order]
        return told and (await prompts(desk))[0]["callback"] == "done" and await house.undelivered() == []

    await eventually(everything_is_told)
    await assert_booked_once(desk, row, loan, "1500.00")
    assert len(await desk.collections()) == 1
    assert await house.cases() == []


async def test_a_payer_who_pays_the_code_and_the_prompt_has_paid_twice(house: House, desk: MoneyDesk) -> None:
    """The saga lives when the second payment names its code, and will not have it."""
    await lose(house, "callback")
    await house.patience(6)
    await house.fault("fineract.repay", "slow", options={"seconds": 4.5})
    await desk.payer("pay", after_seconds=3)
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await desk.until(begun, "prompting")
    assert begun.payer_reference is not None
    by_hand = await desk.paybill("1500", begun.payer_reference)
    assert by_hand["accepted"]  # the code is as good as an account number
    assert (await desk.ended(begun)).receipt == by_hand["receipt"]
    second = await eventually(lambda: _paid_besides(desk, by_hand["receipt"]))
    await own_saga(desk, second)
    assert sorted(await booked(desk, loan)) == sorted([("1500.00", by_hand["receipt"]), ("1500.00", second)])
    assert len(await prompts(desk)) == 1


async def test_a_code_may_be_paid_again_later(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert row.payer_reference is not None
    again = await desk.paybill("500", row.payer_reference.lower())
    await own_saga(desk, again["receipt"])
    assert ("500.00", again["receipt"]) in await booked(desk, loan)
    assert len(await booked(desk, loan)) == 2


async def _paid_besides(desk: MoneyDesk, receipt: str) -> str | None:
    return next((one["receipt"] for one in await desk.collected() if one["receipt"] != receipt), None)


# ----------------------------------------------------------------------------------------- two channels that contradict


async def test_an_amount_told_differently_after_the_booking_is_a_case(house: House, desk: MoneyDesk) -> None:
    await lose(house, "confirmation")
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    assert row.receipt is not None
    await confirm(house, desk, TransID=row.receipt, TransAmount="2000", BillRefNumber=row.payer_reference or "")
    await until_case(house, "payment_contradiction")
    await assert_booked_once(desk, row, loan, "1500.00")
    assert await house.undelivered() == []


async def test_an_amount_told_differently_before_the_callback_is_a_case_and_one_booking(
    house: House, desk: MoneyDesk
) -> None:
    await house.fault("daraja.c2b.confirmation", "wrong_amount", options={"by": 500})
    await house.fault("daraja.stk.callback", "late", options={"seconds": 5})
    loan = await desk.loan("5000.00")
    row = await desk.ended(await desk.collect("1500", loan["accountNo"]))
    await until_case(house, "collection_contradiction")
    assert await booked(desk, loan) == [("2000.00", row.receipt)]
    assert len(await desk.incoming()) == 1


async def test_an_amount_told_differently_while_it_is_claimed_waits_for_a_person(house: House, desk: MoneyDesk) -> None:
    """A confirmation is noted for the saga with another amount, and the callback settles the prompt before it is told."""
    await lose(house, "confirmation")
    await house.fault("daraja.stk.callback", "late", options={"seconds": 2})
    loan = await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    (taken,) = await eventually(desk.collected)
    await note(house, begun, taken["receipt"], 200_000)
    row = await desk.until(begun, "waiting_account")
    assert (row.reason_code, row.amount_minor) == ("payment_differs", 200_000)
    assert await booked(desk, loan) == []
    await desk.resolve(
        begun, "allocate", allocations=[Allocation(kind="loan", account_no=loan["accountNo"], amount=kes("2000"))]
    )
    assert (await desk.ended(begun)).stage == "completed"
    assert len(await booked(desk, loan)) == 1


async def test_a_receipt_that_an_operator_takes_from_another_payment_books_nothing_twice(
    house: House, desk: MoneyDesk
) -> None:
    await lose(house, "callback")
    await house.fault("daraja.c2b.confirmation", "lose", match={"channel": "stk"}, times=MANY)
    loan, other = await desk.loan("5000.00"), await desk.loan("5000.00")
    begun = await desk.collect("1500", loan["accountNo"])
    await desk.until(begun, "in_review")
    paid = await desk.paybill("900", other["accountNo"], phone="254722000333")
    assert (await desk.of_receipt(paid["receipt"])).stage == "completed"
    await desk.resolve(begun, "paid", receipt=paid["receipt"])
    row = await desk.ended(begun)
    assert (row.stage, row.reason_code) == ("merged", "booked_elsewhere")
    await pull(desk, until=1)  # the true payment, whose code stands for its account
    (true,) = [one["receipt"] for one in await desk.collected() if one["msisdn"] == PHONE]
    await own_saga(desk, true)
    assert await booked(desk, loan) == [("1500.00", true)]
    assert await booked(desk, other) == [("900.00", paid["receipt"])]


async def test_a_second_confirmation_with_another_amount_is_a_case(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    paid = await desk.paybill("1500", loan["accountNo"])
    await desk.of_receipt(paid["receipt"])
    await confirm(house, desk, TransID=paid["receipt"], TransAmount="1501.00", BillRefNumber=loan["accountNo"])
    await until_case(house, "payment_contradiction")
    await assert_booked_once(desk, await desk.of_receipt(paid["receipt"]), loan, "1500.00")
