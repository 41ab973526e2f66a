"""Every date that is booked is one of the core bank's own calendar; where none is allowed, nothing is sent."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.errors import NotYet
from providers.fineract.calendar import (
    BankCalendar,
    Holiday,
    date_to_post,
    first_open_day,
    holidays,
    working_days,
)
from providers.ports import Exchange
from providers.repayments import AccountKind
from tests.simulators.fineract.bank import KINDS, Bank, disbursal, noon, payment, today

MONDAY = date(2028, 2, 28)
DAY = timedelta(days=1)
both_kinds = pytest.mark.parametrize("kind", KINDS)


def at(day: date, hour: int, zone: str = "Africa/Nairobi") -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("moment", "bank_today", "zone", "not_before", "posted"),
    [
        (at(MONDAY, 12), MONDAY, "Africa/Nairobi", None, MONDAY),
        # The lender's evening is the tenant's next morning.
        (at(MONDAY, 23), MONDAY + DAY, "Asia/Kolkata", None, MONDAY + DAY),
        # The business date lags.
        (at(MONDAY + DAY, 9), MONDAY, "Africa/Nairobi", None, MONDAY),
        # The business date runs ahead, and the loan was approved on it.
        (at(MONDAY, 9), MONDAY + DAY, "Africa/Nairobi", MONDAY + DAY, MONDAY + DAY),
        # A repayment of the day before the loan was disbursed.
        (at(MONDAY - 3 * DAY, 9), MONDAY, "Africa/Nairobi", MONDAY - DAY, MONDAY - DAY),
        # Approved on a day that the bank does not have yet.
        (at(MONDAY, 9), MONDAY, "Africa/Nairobi", MONDAY + DAY, None),
        # 29 February is a day like any other.
        (at(MONDAY + DAY, 9), MONDAY + DAY, "Africa/Nairobi", None, date(2028, 2, 29)),
    ],
)
def test_the_date_to_post(
    moment: datetime, bank_today: date, zone: str, not_before: date | None, posted: date | None
) -> None:
    assert date_to_post(moment, BankCalendar(bank_today, zone), not_before) == posted


def test_closed_days_are_passed_over_forwards_and_never_beyond_today() -> None:
    weekdays, holiday = frozenset(range(5)), (Holiday(MONDAY, MONDAY + DAY, "Easter"),)
    calendar = BankCalendar(MONDAY + 2 * DAY, "Africa/Nairobi", weekdays, holiday)
    assert date_to_post(at(MONDAY - 2 * DAY, 9), calendar) == MONDAY + 2 * DAY  # a Saturday, then two holidays
    closed = BankCalendar(MONDAY, "Africa/Nairobi", weekdays, holiday)
    assert date_to_post(at(MONDAY, 9), closed) is None
    assert first_open_day(closed, None) == MONDAY + 2 * DAY
    assert [closed.why_closed(MONDAY + n * DAY) for n in (-1, 0, 2)] == ["on_non_working_day", "on_holiday", None]


def test_what_the_bank_says_of_its_days_is_read_and_what_cannot_be_read_says_nothing() -> None:
    assert working_days({"recurrence": "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU,SA"}) == frozenset({0, 1, 5})
    assert working_days({"recurrence": "FREQ=DAILY"}) is None
    assert working_days(None) is None
    rows = [
        {"name": "Jamhuri", "fromDate": [2028, 12, 12], "toDate": [2028, 12, 12], "status": {"id": 300}},
        {"name": "gone", "fromDate": [2028, 12, 13], "toDate": [2028, 12, 13], "status": {"id": 600}},
        {"name": "odd", "fromDate": "soon"},
        "nothing",
    ]
    assert holidays(rows) == (Holiday(date(2028, 12, 12), date(2028, 12, 12), "Jamhuri"),)


# ------------------------------------------------------------------------------------------------------- with a server


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_payout_is_booked_on_the_business_date_or_its_own_day_and_found_again(bank: Bank, days: int) -> None:
    business = today() + days * DAY
    await bank.tenant("default", businessDate=business.isoformat())
    loan_id = await bank.loan(approvedOn=business.isoformat())
    async with bank.fineract() as fineract:
        posted = await fineract.post_disbursal(disbursal(loan_id, not_before=business))
        assert (await fineract.post_disbursal(disbursal(loan_id))).transaction_id == posted.transaction_id
    [item] = await bank.disbursals(loan_id)
    assert (item["id"], item["date"]) == (posted.transaction_id, business.isoformat())


async def test_a_loan_approved_on_a_day_that_has_not_come_is_not_sent_at_all(bank: Bank) -> None:
    loan_id, sent = await bank.loan(), list[str]()

    async def keep(exchange: Exchange) -> None:
        sent.append(exchange.operation)

    async with bank.fineract(recorder=keep) as fineract:
        with pytest.raises(NotYet) as caught:
            await fineract.post_disbursal(disbursal(loan_id, not_before=today() + 2 * DAY))
    assert caught.value.code == "no_allowed_date"
    assert caught.value.extra["opens_on"] == (today() + 2 * DAY).isoformat()
    assert caught.value.retry_after
    assert "loans.disburse" not in sent


async def test_a_loan_approved_anew_on_a_later_day_is_booked_on_that_day(bank: Bank) -> None:
    """What was read before the payout is older than the approval: refused, re-read, corrected under a key of its own."""
    yesterday = today() - DAY
    loan_id = await bank.loan(approvedOn=yesterday.isoformat())
    async with bank.fineract() as fineract:
        await fineract.post_disbursal(disbursal(loan_id, paid_at=noon(today() - 3 * DAY)))
    [item] = await bank.disbursals(loan_id)
    assert item["date"] == yesterday.isoformat()


async def test_a_bank_whose_calendar_is_behind_the_zone_that_we_were_told_books_its_own_day(bank: Bank) -> None:
    await bank.tenant("default", timezone="Pacific/Pago_Pago")  # exactly a day behind the zone below, all year round
    loan_id = await bank.loan()
    async with bank.fineract(timezone="Etc/GMT-13") as fineract:
        await fineract.post_disbursal(disbursal(loan_id))
    ahead = datetime.now(ZoneInfo("Etc/GMT-13")).date()
    [item] = await bank.disbursals(loan_id)
    assert date.fromisoformat(item["date"]) == ahead - DAY


async def test_a_stored_refusal_of_a_date_does_not_outlive_the_night(bank: Bank) -> None:
    loan_id = await bank.loan()
    future = {"code": "error.msg.loan.disbursal.cannot.be.a.future.date"}
    await bank.fault("fineract.disburse", "refuse", times=2, options=future)
    async with bank.fineract() as fineract:
        with pytest.raises(NotYet):
            await fineract.post_disbursal(disbursal(loan_id))
        await fineract.post_disbursal(disbursal(loan_id))
    [item] = await bank.disbursals(loan_id)
    assert item["date"] == today().isoformat()


@pytest.mark.parametrize(
    "code",
    [
        "error.msg.loan.disbursal.cannot.be.before.approval.date",
        "error.msg.loan.repayment.or.waiver.cannot.be.made.before.client.transfer.date",
        "error.msg.glJournalEntry.invalid.accounting.closed",
        "error.msg.loan.application.disbursement.date.on.holiday",
        "error.msg.loan.application.disbursement.date.on.non.working.day",
    ],
)
async def test_a_date_that_is_too_early_or_closed_is_corrected_to_a_later_one(bank: Bank, code: str) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "refuse", options={"code": code})
    async with bank.fineract() as fineract:
        await fineract.post_disbursal(disbursal(loan_id, paid_at=noon(today() - 2 * DAY)))
    [item] = await bank.disbursals(loan_id)
    assert date.fromisoformat(item["date"]) > today() - 2 * DAY


async def test_a_date_refused_today_waits_and_asks_for_no_new_key(bank: Bank) -> None:
    loan_id = await bank.loan()
    holiday = {"code": "error.msg.loan.application.disbursement.date.on.holiday"}
    await bank.fault("fineract.disburse", "refuse", options=holiday)
    async with bank.fineract() as fineract:
        with pytest.raises(NotYet) as caught:
            await fineract.post_disbursal(disbursal(loan_id))
    assert (caught.value.code, caught.value.extra.get("new_key")) == ("no_allowed_date", None)
    assert date.fromisoformat(caught.value.extra["opens_on"]) > today()
    assert await bank.disbursals(loan_id) == []


@both_kinds
async def test_a_payment_ahead_of_the_business_date_is_booked_on_it_and_found_again(
    bank: Bank, kind: AccountKind
) -> None:
    yesterday = today() - DAY
    await bank.tenant("default", businessDate=yesterday.isoformat())
    account_id = await bank.payable(kind)
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment(kind, account_id))
        again = await fineract.post_payment(payment(kind, account_id, idempotency_key="kvk:r:2"))
    [item] = await bank.payments(kind, account_id)
    assert (item["id"], item["date"]) == (posted.transaction_id, yesterday.isoformat())
    assert (again.transaction_id, again.already_there) == (item["id"], True)


@both_kinds
async def test_a_payment_of_before_the_account_was_open_is_booked_on_its_first_day(
    bank: Bank, kind: AccountKind
) -> None:
    account_id = await bank.payable(kind)
    old = noon(today() - 60 * DAY)
    async with bank.fineract() as fineract:
        posted = await fineract.post_payment(payment(kind, account_id, paid_at=old))
        # Found by its receipt although it stands weeks after its own day.
        other = {"idempotency_key": "kvk:r:2", "external_id": "another"}
        again = await fineract.post_payment(payment(kind, account_id, paid_at=old, **other))
    [item] = await bank.payments(kind, account_id)
    assert item["date"] == (today() - 7 * DAY).isoformat()
    assert (again.transaction_id, again.already_there) == (posted.transaction_id, True)


async def test_a_repayment_of_before_a_transfer_or_a_later_one_is_booked_today(bank: Bank) -> None:
    for code in ("made.before.client.transfer.date", "made.before.last.transaction.date"):
        loan_id = await bank.active_loan()
        refusal = {"code": f"error.msg.loan.repayment.or.waiver.cannot.be.{code}"}
        await bank.fault("fineract.repay", "refuse", options=refusal)
        async with bank.fineract() as fineract:
            await fineract.post_payment(payment("loan", loan_id, paid_at=noon(today() - 2 * DAY)))
        [item] = await bank.payments("loan", loan_id)
        assert item["date"] == today().isoformat()
