"""What Fineract would refuse after the money has moved is found before: it waits, or ends with a reason and a case."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from activities.clients.connections import Connections
from activities.lending.loans import Loans
from core.clock import local_date, utc_now
from core.crypto import CredentialBox
from core.money import Money
from core.msisdn import Msisdn
from models.messages.connections.jobs import CheckConnection, ConnectionChecked
from models.messages.connections.sealed import SealedConnection
from models.messages.lending.loan_disbursement import DisbursementPlan, DisbursementRequest, PostDisbursal
from models.messages.lending.loan_watch import WatchLoans
from models.messages.saga.payouts import Paid
from models.tables.saga.case import Case
from store.platform import partners
from temporal.queues import FLOWS_QUEUE
from tests.flows.lending.test_customer_collection import confirm
from tests.flows.lending.test_loan_disbursement import assert_paid_once
from tests.flows.lending.test_loan_disbursement_reserving import FULL, set_product
from tests.support.house import House
from tests.support.money_in import MoneyDesk
from tests.support.waiting import eventually

DAY = timedelta(days=1)


def today() -> date:
    return local_date(utc_now(), "Africa/Nairobi")


async def tenant(house: House, **settings: Any) -> None:
    answer = await house.http.post("/fineract/simulator/tenants", json={"tenant": "default", **settings})
    assert answer.status_code == 201, answer.text


async def case_of(house: House, kind: str) -> Case:
    async with house.database.transaction() as session:
        return (await session.exec(select(Case).where(Case.kind == kind))).one()


@pytest.mark.parametrize(
    ("loan", "code", "word"),
    [
        ({"netDisbursalAmount": "0"}, "nothing_to_pay", "Nothing is left"),
        ({"topUp": True, "showsNet": False}, "top_up_without_net", "replaces an older one"),
        ({"kind": "glim"}, "group_loan", "group"),
    ],
)
async def test_a_loan_that_one_payout_cannot_serve_is_refused_and_people_are_told(
    house: House, loan: dict[str, Any], code: str, word: str
) -> None:
    loan_id, result = await house.disburse(**loan)
    assert (result.ending, result.code) == ("refused", code)
    assert await house.payouts() == []
    assert (await house.wallet()).available == FULL
    case = await case_of(house, "loan_not_payable")
    assert (case.evidence["code"], case.evidence["account_no"]) == (code, f"{loan_id:09d}")

    async def told() -> bool:
        return any(word in message["text"] for message in await house.messages())

    await eventually(told)


async def test_a_top_up_loan_with_its_net_pays_the_net(house: House) -> None:
    _, result = await house.disburse("12500.00", topUp=True, netDisbursalAmount="4000.00")
    assert result.ending == "completed"
    assert [payout["amount"] for payout in await house.payouts()] == ["4000.00"]


@pytest.mark.parametrize(("status", "code"), [("transfer.on.hold", "client_in_transfer"), ("closed", "client_closed")])
async def test_a_client_for_whom_nothing_could_be_booked_is_not_paid(house: House, status: str, code: str) -> None:
    loan_id = await house.approve_loan()
    client = {"id": (await house.loan(loan_id))["clientId"], "displayName": "Wanjiru", "mobileNo": "0712345678"}
    await house.http.post("/fineract/simulator/clients", json={**client, "status": status})
    result = await house.result(await house.start(loan_id))
    assert (result.ending, result.code, await house.payouts()) == ("refused", code, [])
    assert (await case_of(house, "loan_not_payable")).evidence["code"] == code


async def test_a_loan_expected_in_nine_days_waits_for_the_day_unless_its_product_may_go_early(house: House) -> None:
    expected = today() + 9 * DAY
    loan_id = await house.approve_loan(expectedDisbursementOn=expected.isoformat())
    started = await house.start(loan_id)
    row = await house.until_stage(started, "waiting_date")
    status = await house.status(started)
    assert row.reason_code == status.reason_code == "no_allowed_date"
    assert str(expected) in (status.waiting_for or "")
    assert str(expected) in (row.reason or "")
    assert f"waiting_date:not_before:{expected}" in await house.timeline(started)
    await house.retry(started)
    await house.until_stage(started, "waiting_date")
    assert await house.payouts() == []
    await set_product(house, may_go_early=True)
    await house.retry(started)
    await assert_paid_once(house, loan_id, await house.result(started))


async def test_a_holiday_of_the_bank_is_waited_for_and_one_that_nobody_may_read_is_not(house: House) -> None:
    day = today().isoformat()
    await tenant(house, holidays=[{"name": "Today", "fromDate": day, "toDate": day}])
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)
    row = await house.until_stage(started, "waiting_date")
    assert "a holiday" in (row.reason or "")
    assert await house.payouts() == []
    await tenant(house, holidays=[])
    await house.retry(started)
    await assert_paid_once(house, loan_id, await house.result(started))


async def test_a_loan_approved_on_a_day_that_the_bank_does_not_have_yet_waits(house: House) -> None:
    """The business date ran ahead, the loan was approved on it, and the date went back."""
    ahead = (today() + DAY).isoformat()
    loan_id = await house.approve_loan(approvedOn=ahead, expectedDisbursementOn=ahead)
    started = await house.start(loan_id)
    await house.until_stage(started, "waiting_date")
    await tenant(house, businessDate=ahead)
    async with house.database.transaction() as session:
        row = await partners.connection(session, house.partner_id, "fineract")
        row.version += 1  # a client that remembers nothing
        session.add(row)
    await house.retry(started)
    result = await house.result(started)
    await assert_paid_once(house, loan_id, result)
    assert [posting["date"] for posting in await house.postings(loan_id)] == [ahead]


async def test_a_user_that_may_not_read_payment_types_pays_nobody(house: House) -> None:
    """Nothing has moved, so the loan waits until the permission is there."""
    few = ["READ_LOAN", "READ_LOANPRODUCT", "READ_CLIENT", "DISBURSE_LOAN"]
    await tenant(house, permissions=few)
    loan_id = await house.approve_loan()
    started = await house.start(loan_id)

    async def told() -> bool:
        return "core_banking_refused" in await house.cases()

    await eventually(told)
    assert await house.payouts() == []
    await tenant(house, permissions=["ALL_FUNCTIONS"])
    await assert_paid_once(house, loan_id, await house.result(started))


async def test_the_check_of_a_connection_names_what_the_user_lacks_and_the_server_itself(house: House) -> None:
    async with house.database.transaction() as session:
        row = await partners.connection(session, house.partner_id, "fineract")
        connection = SealedConnection.model_validate(row, from_attributes=True)

    async def check() -> ConnectionChecked:
        checked: ConnectionChecked = await house.client.execute_workflow(
            "ConnectionCheck", CheckConnection(connection=connection), id=f"check/{utc_now()}",
            task_queue=FLOWS_QUEUE, result_type=ConnectionChecked,
        )  # fmt: skip
        return checked

    for _ in range(3):
        await house.approve_loan()
    good = await check()
    assert good.ok
    assert good.identity
    await tenant(house, permissions=["READ_LOAN", "READ_LOANPRODUCT", "READ_CLIENT", "DISBURSE_LOAN"])
    bad = await check()
    assert (bad.ok, bad.code, bad.field) == (False, "permission_missing", "username")
    assert "READ_PAYMENTTYPE" in (bad.detail or "")


async def test_a_loan_that_cannot_be_read_is_one_case_and_the_others_are_paid(house: House) -> None:
    odd, good = await house.approve_loan(), await house.approve_loan()
    change = {"loan_id": odd, "set": {"approvedPrincipal": "12996.675"}}
    await house.fault("fineract.loans.list", "odd_row", times=9, options=change)
    for number in range(2):
        watched = await house.client.execute_workflow(
            "LoanWatch", WatchLoans(partner_id=house.partner_id), id=f"watch/{utc_now()}", task_queue=FLOWS_QUEUE
        )
        assert watched["unreadable"] == 1, number
    case = await case_of(house, "loan_unreadable")
    assert case.evidence["loan_id"] == str(odd)

    async def paid() -> bool:
        return bool(await house.postings(good))

    await eventually(paid)
    assert await house.postings(odd) == []


@pytest.mark.parametrize(("told", "days_ago"), [("20190101093000", 0), ("29990101093000", 0), (None, 1)])
async def test_a_payment_is_booked_on_a_day_that_may_be_believed(
    house: House, desk: MoneyDesk, told: str | None, days_ago: int
) -> None:
    """Nonsense becomes the day on which we heard of it; a day's delay is a pulled list's usual one."""
    loan = await desk.loan("5000.00", approvedOn=(today() - 9 * DAY).isoformat())
    when = told or f"{today() - DAY:%Y%m%d}120000"
    facts = {"TransID": "SLK7R2MQ4N", "TransAmount": "1500.00", "BillRefNumber": loan["accountNo"], "TransTime": when}
    await confirm(house, desk, **facts)

    async def booked() -> list[dict[str, Any]]:
        return await desk.repayments(loan)

    [item] = await eventually(booked)
    assert item["date"] == (today() - days_ago * DAY).isoformat()


async def test_a_payment_of_before_the_disbursement_is_booked_on_the_day_of_it(house: House, desk: MoneyDesk) -> None:
    loan = await desk.loan("5000.00")
    facts = {"TransID": "SLK7R2MQ4N", "TransAmount": "1500.00", "BillRefNumber": loan["accountNo"]}
    await confirm(house, desk, **facts, TransTime=f"{today() - DAY:%Y%m%d}120000")

    async def booked() -> list[dict[str, Any]]:
        return await desk.repayments(loan)

    [item] = await eventually(booked)
    assert item["date"] == today().isoformat()


async def test_a_payout_that_a_provider_dates_years_ago_is_booked_today(house: House) -> None:
    loan_id = await house.approve_loan(approvedOn="2018-01-01")
    await house.stop_workers()
    started = await house.start(loan_id)
    amount, request = Money.parse("12500.00", "KES"), DisbursementRequest(
        disbursement_id=started.disbursement_id, partner_id=house.partner_id, loan_id=loan_id,
        workflow_id=started.workflow_id,
    )  # fmt: skip
    plan = DisbursementPlan(
        loan_id=loan_id, account_no="-", product_id=1, product_name="-", client_name="-", msisdn=Msisdn("+254712345678"),
        parts=(amount,), to_pay=amount, principal=amount, charges=(),
    )  # fmt: skip
    paid = Paid(
        leg_id="leg", reference="pay_nobody-a1", receipt="SFT7K2QX9P", amount=amount,
        paid_at=datetime(2019, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    keys = [key.get_secret_value() for key in house.settings.security.credential_keys]
    connections = Connections(house.database, CredentialBox(keys), house.settings.dialling_rules())
    await Loans(house.database, connections).post(
        PostDisbursal(request=request, plan=plan, payments=(paid,), clock_slack=request.policy.clock_slack)
    )
    await connections.close()
    assert [posting["date"] for posting in await house.postings(loan_id)] == [today().isoformat()]
