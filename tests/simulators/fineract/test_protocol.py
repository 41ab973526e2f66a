"""The simulator refuses and answers as Fineract does (fineract.md 13)."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.simulators.fineract.bank import Bank, disburse_body, pay_body, today

BLANK_DATE = "validation.msg.loan.disbursement.actualDisbursementDate.cannot.be.blank"
WEEK = ("MO,", "TU,", "WE,", "TH,", "FR,", "SA,", "SU,")


def container(answer: httpx.Response) -> tuple[int, str, str]:
    """The body of the servlet container, which is not Fineract's envelope."""
    body = answer.json()
    assert set(body) == {"timestamp", "status", "error", "path"}
    return body["status"], body["error"], body["path"]


def codes(answer: httpx.Response) -> list[str]:
    return [item["userMessageGlobalisationCode"] for item in answer.json()["errors"]]


async def test_without_a_limit_everything_comes_whatever_the_offset_and_without_an_order_in_none(bank: Bank) -> None:
    made = await bank.loans(8)
    unpaged = (await bank.call("GET", "/loans", status="200", offset="5")).json()
    assert sorted(row["id"] for row in unpaged["pageItems"]) == made
    assert [row["id"] for row in unpaged["pageItems"]] != made
    page = (await bank.call("GET", "/loans", status="200", offset="5", limit="2", orderBy="id")).json()
    assert page["totalFilteredRecords"] == 8
    assert [row["id"] for row in page["pageItems"]] == made[5:7]


async def test_one_unordered_page_misses_loans_which_is_the_scar(bank: Bank) -> None:
    """SCARS: the loan list is read as one page without an order."""
    made = await bank.loans(12)
    rows = (await bank.call("GET", "/loans", status="200", limit="6")).json()["pageItems"]
    assert {row["id"] for row in rows} < set(made)
    assert [row["id"] for row in rows] != made[:6]


async def test_a_status_in_words_is_a_server_error(bank: Bank) -> None:
    answer = await bank.call("GET", "/loans", status="approved")
    assert answer.status_code == 500
    assert container(answer) == (500, "Internal Server Error", "/fineract/fineract-provider/api/v1/loans")


async def test_rows_spell_amounts_with_six_places_and_dates_as_arrays_and_leave_nulls_out(bank: Bank) -> None:
    loan_id = await bank.loan(status="submitted")
    text = (await bank.call("GET", f"/loans/{loan_id}")).text
    assert '"principal":10000.000000' in text
    assert f'"expectedDisbursementDate":[{today().year},{today().month},{today().day}]' in text
    assert "approvedOnDate" not in text
    assert "null" not in text
    assert "transactions" not in text


async def test_both_addresses_lead_to_the_same_bank(bank: Bank) -> None:
    loan_id = await bank.loan()
    short = await bank.http.get(
        f"{bank.root}/fineract/v1/loans/{loan_id}?tenantIdentifier=default", auth=("mifos", "password")
    )
    assert short.json() == (await bank.call("GET", f"/loans/{loan_id}")).json()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"receipt": "X"}, 400, "error.msg.parameter.unsupported"),
        ({"locale": None}, 400, "validation.msg.missing.locale.parameter"),
        ({"dateFormat": None}, 400, "validation.msg.missing.dateFormat.parameter"),
        ({"actualDisbursementDate": None}, 400, BLANK_DATE),
        ({"actualDisbursementDate": [2026, 6, 29]}, 400, BLANK_DATE),
        ({"dateFormat": "dd MMMM yyyy"}, 400, "validation.msg.invalid.dateFormat.format"),
        ({"transactionAmount": "ten"}, 400, "validation.msg.invalid.decimal.format"),
        ({"receiptNumber": "R" * 51}, 400, "validation.msg.loan.disbursement.receiptNumber.exceeds.max.length"),
        ({"paymentTypeId": 99}, 404, "error.msg.payment.type.invalid"),
        ({"transactionAmount": "10000.01"}, 403, "error.msg.loan.disburse.amount.must.be.less.than.approved.amount"),
        ({"actualDisbursementDate": "2020-01-01"}, 403, "error.msg.loan.disbursal.cannot.be.before.approval.date"),
        ({"actualDisbursementDate": "2999-01-01"}, 403, "error.msg.loan.disbursal.cannot.be.a.future.date"),
    ],
)  # fmt: skip
async def test_a_disbursal_is_refused_as_strictly_as_the_server_refuses_it(
    bank: Bank, change: dict[str, Any], status: int, code: str
) -> None:
    loan_id = await bank.loan()
    answer = await bank.command(loan_id, "disburse", disburse_body(**change))
    assert (answer.status_code, codes(answer)) == (status, [code])
    assert (await bank.book(loan_id))["transactions"] == []


async def test_the_future_begins_by_the_tenants_own_calendar(bank: Bank) -> None:
    # Fourteen hours ahead and eleven behind: at every moment these two have different days.
    for tenant, zone in (("kiribati", "Pacific/Kiritimati"), ("samoa", "Pacific/Pago_Pago")):
        await bank.tenant(tenant, timezone=zone)
    answers = []
    for tenant in ("kiribati", "samoa"):
        loan_id = await bank.loan(tenant=tenant)
        kiribati_day = (await bank.http.get(f"{bank.root}/books/loans")).json()[0]["expectedDisbursementOn"]
        body = disburse_body(actualDisbursementDate=kiribati_day)
        answer = await bank.call("POST", f"/loans/{loan_id}", body, tenant=tenant, command="disburse")
        answers.append(answer.status_code)
    assert answers == [200, 403]


async def test_without_a_payment_type_the_receipt_is_silently_dropped(bank: Bank) -> None:
    loan_id = await bank.loan()
    answer = await bank.command(loan_id, "disburse", disburse_body(receiptNumber="SFT7K2QX9P"))
    assert answer.status_code == 200
    assert (await bank.disbursals(loan_id))[0]["receiptNumber"] is None


@pytest.mark.parametrize("status", [400, 403])
async def test_a_second_disbursal_is_refused_by_the_servers_age(bank: Bank, status: int) -> None:
    await bank.tenant("default", secondDisburse=status)
    loan_id = await bank.loan()
    assert (await bank.command(loan_id, "disburse", disburse_body())).status_code == 200
    assert (await bank.command(loan_id, "disburse", disburse_body())).status_code == status
    assert len(await bank.disbursals(loan_id)) == 1


@pytest.mark.parametrize(
    ("older", "code"),
    [(False, "error.msg.loan.disbursement.duplicate.externalId"), (True, "error.msg.data.integrity.issue")],
)
async def test_an_external_id_is_unique_for_ever_even_after_an_undo(bank: Bank, older: bool, code: str) -> None:
    await bank.tenant("default", olderCodes=older)
    first, second = await bank.loans(2)
    assert (await bank.command(first, "disburse", disburse_body(externalId="x"))).status_code == 200
    assert (await bank.command(first, "undoDisbursal")).json()["changes"]["status"]["id"] == 200
    answer = await bank.command(second, "disburse", disburse_body(externalId="x"))
    assert (answer.status_code, answer.json()["userMessageGlobalisationCode"]) == (403, code)


async def test_texts_that_a_column_cannot_hold_are_refused_by_the_database(bank: Bank) -> None:
    loan_id = await bank.loan()
    long_id = await bank.command(loan_id, "disburse", disburse_body(externalId="x" * 101))
    long_key = await bank.command(loan_id, "disburse", disburse_body(), key="k" * 51)
    assert [(answer.status_code, codes(answer)) for answer in (long_id, long_key)] == [
        (403, ["error.msg.loan.disbursement.unknown.data.integrity.issue"]),
        (403, ["error.msg.data.integrity.issue"]),
    ]


@pytest.mark.parametrize("missing", ["locale", "dateFormat"])
async def test_a_missing_spelling_names_the_date_that_cannot_be_read(bank: Bank, missing: str) -> None:
    answer = await bank.command(await bank.loan(), "disburse", disburse_body(**{missing: None}))
    assert [item["parameterName"] for item in answer.json()["errors"]] == ["actualDisbursementDate"]


async def test_a_loan_moves_only_on_days_on_which_the_tenant_books(bank: Bank) -> None:
    day = today().isoformat()
    await bank.tenant("default", holidays=[{"name": "Today", "fromDate": day, "toDate": day}])
    holiday = await bank.command(await bank.loan(), "disburse", disburse_body())
    assert codes(holiday) == ["error.msg.loan.application.disbursement.date.on.holiday"]
    await bank.tenant("default", workingDays="".join(d for n, d in enumerate(WEEK) if n != today().weekday()))
    weekend = await bank.pay("loan", await bank.active_loan(), pay_body())
    assert codes(weekend) == ["error.msg.loan.application.repayment.date.on.non.working.day"]


async def test_under_maker_checker_a_command_waits_and_its_key_with_it(bank: Bank) -> None:
    loan_id = await bank.loan()
    await bank.fault("fineract.disburse", "maker_checker")
    waits = await bank.command(loan_id, "disburse", disburse_body(), key="one")
    assert (waits.status_code, waits.json()["rollbackTransaction"], waits.json()["resourceExternalId"]) == (
        200,
        True,
        {},
    )
    again = await bank.command(loan_id, "disburse", disburse_body(), key="one")
    assert (again.status_code, again.json()["transactionAmount"]) == (425, "10000.00")
    number = waits.json()["commandId"]
    assert (await bank.call("POST", f"/makercheckers/{number}", command="approve")).status_code == 200
    done = await bank.command(loan_id, "disburse", disburse_body(), key="one")
    assert (done.status_code, done.headers["x-served-from-cache"], done.json()["loanId"]) == (200, "true", loan_id)


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "/loans", "READ_LOAN"),
        ("GET", "/loanproducts", "READ_LOANPRODUCT"),
        ("GET", "/clients", "READ_CLIENT"),
        ("GET", "/paymenttypes", "READ_PAYMENTTYPE"),
        ("GET", "/businessdate", "READ_BUSINESS_DATE"),
        ("GET", "/configurations", "READ_CONFIGURATION"),
        ("GET", "/workingdays", "READ_WORKINGDAYS"),
        ("GET", "/holidays", "READ_HOLIDAY"),
        ("GET", "/savingsaccounts", "READ_SAVINGSACCOUNT"),
        ("GET", "/offices", "READ_OFFICE"),
        ("GET", "/hooks", "READ_HOOK"),
    ],
)
async def test_every_page_asks_for_its_permission(bank: Bank, method: str, path: str, permission: str) -> None:
    statuses = []
    for held in ([], [permission], ["ALL_FUNCTIONS_READ"]):
        await bank.tenant("default", username="clerk", password="p", permissions=held)
        answer = await bank.http.request(method, f"{bank.api}/v1{path}?tenantIdentifier=default", auth=("clerk", "p"))
        statuses.append(answer.status_code)
    assert statuses == [403, 200, 200]


async def test_a_loan_walks_through_its_states(bank: Bank) -> None:
    spelled = {"locale": "en", "dateFormat": "yyyy-MM-dd"}
    loan_id = await bank.loan(status="submitted")
    day = today().isoformat()
    approve = spelled | {"approvedOnDate": day, "approvedLoanAmount": "8,000.00"}
    assert (await bank.command(loan_id, "approve", approve)).status_code == 200
    assert (await bank.book(loan_id))["approvedPrincipal"] == "8000.00"
    assert (await bank.command(loan_id, "approve", approve)).status_code == 400
    assert (await bank.command(loan_id, "undoapproval")).status_code == 200
    assert (await bank.command(loan_id, "undoapproval")).status_code == 400
    assert (await bank.command(loan_id, "reject", spelled | {"rejectedOnDate": day})).status_code == 200
    assert (await bank.book(loan_id))["status"] == "rejected"
    assert (await bank.command(loan_id, "disburse", disburse_body())).status_code == 400
    other = await bank.loan(status="submitted")
    assert (await bank.command(other, "withdrawnByApplicant", spelled | {"withdrawnOnDate": day})).status_code == 200
    assert (await bank.command(other, "undodisbursal")).status_code == 400


async def test_an_unknown_command_and_a_malformed_body_are_refused(bank: Bank) -> None:
    loan_id = await bank.loan()
    unknown = await bank.command(loan_id, "payout", {})
    assert (unknown.status_code, unknown.json()["userMessageGlobalisationCode"]) == (
        400,
        "error.msg.query.parameter.value.unsupported",
    )
    url = f"{bank.api}/v1/loans/{loan_id}?command=disburse&tenantIdentifier=default"
    plain = await bank.http.post(url, content=b"{}", auth=("mifos", "password"), headers={"content-type": "text/plain"})
    assert container(plain)[:2] == (415, "Unsupported Media Type")
    json_type = {"content-type": "application/json"}
    malformed = await bank.http.post(url, content=b"{not json", auth=("mifos", "password"), headers=json_type)
    assert (malformed.status_code, malformed.json()["userMessageGlobalisationCode"]) == (
        400,
        "error.msg.invalid.request.body",
    )
    assert "errors" not in malformed.json()


async def test_a_stranger_gets_401_and_an_unknown_tenant_a_400_with_a_challenge(bank: Bank) -> None:
    stranger = await bank.http.get(f"{bank.api}/v1/loans?tenantIdentifier=default", auth=("mifos", "guess"))
    assert container(stranger) == (401, "Unauthorized", "/fineract/fineract-provider/api/v1/loans")
    assert stranger.headers["www-authenticate"] == 'Basic realm="Fineract Platform API"'
    for tenant in ("", "?tenantIdentifier=nowhere"):
        lost = await bank.http.get(f"{bank.api}/v1/loans{tenant}", auth=("mifos", "password"))
        assert (lost.status_code, lost.headers["www-authenticate"].split()[0]) == (400, "Basic")
        assert container(lost)[:2] == (400, "Bad Request")


async def test_less_than_approved_may_be_disbursed_and_charges_are_their_own_transaction(bank: Bank) -> None:
    loan_id = await bank.loan(netDisbursalAmount="9500")
    assert (await bank.command(loan_id, "disburse", disburse_body(transactionAmount="9000"))).status_code == 200
    items = (await bank.book(loan_id))["transactions"]
    assert [(item["type"], item["amount"]) for item in items] == [
        ("disbursement", "9000.00"),
        ("repaymentAtDisbursement", "500.00"),
    ]


async def test_the_business_date_is_told_only_where_it_is_kept(bank: Bank) -> None:
    assert (await bank.call("GET", "/businessdate")).json() == []
    day = today() - timedelta(days=3)
    await bank.tenant("default", businessDate=day.isoformat())
    [row] = (await bank.call("GET", "/businessdate")).json()
    assert (row["type"], row["date"]) == ("BUSINESS_DATE", [day.year, day.month, day.day])


async def test_a_fault_that_nobody_declared_is_refused(bank: Bank) -> None:
    script = {"faults": [{"operation": "fineract.disburse", "action": "explode"}]}
    assert (await bank.http.post(f"{bank.root}/faults", json=script)).status_code == 422
