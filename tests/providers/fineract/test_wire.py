"""Fineract's spelling, against samples that neither the client nor the simulator made."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest, Transient
from core.money import Money
from providers.fineract.shapes import client_of, loan_of
from providers.fineract.wire import (
    HookEvent,
    parse_complaint,
    parse_hook,
    read_amount,
    read_date,
    spell_amount,
    spell_date,
)
from tests.simulators.fineract.bank import Bank, disburse_body, golden, today

HEADERS = {
    "X-Fineract-Entity": "LOAN",
    "X-Fineract-Action": "APPROVE",
    "Fineract-Platform-TenantId": "default",
}


def test_the_sample_row_reads_as_a_loan_that_awaits_disbursal() -> None:
    loan = loan_of(golden("loan_row"))
    assert (loan.loan_id, loan.client_id, loan.client_name) == (91, 27, "Achieng Otieno")
    assert (loan.awaiting_disbursal, loan.active) == (True, False)
    assert (loan.approved_principal, loan.net_disbursal) == (Money(1_000_000, "KES"), Money(970_000, "KES"))
    assert (loan.approved_on, loan.expected_disbursement_on) == (date(2026, 6, 29), date(2026, 6, 30))


def test_the_sample_transaction_reads_as_our_disbursal_unless_it_was_reversed() -> None:
    row, item = golden("loan_row"), golden("transaction")
    [found] = loan_of(row | {"transactions": [item]}).disbursals
    assert (found.transaction_id, found.amount.minor, found.external_id) == (1503, 1_000_000, "kvk-d-91")
    assert (found.receipt, found.reversed) == ("SFT7K2QX9P", False)
    for sign in ({"manuallyReversed": True}, {"reversedOnDate": [2026, 6, 30]}):
        assert loan_of(row | {"transactions": [item | sign]}).disbursals[0].reversed


def test_a_status_of_200_that_does_not_wait_for_disbursal_is_not_payable() -> None:
    row = golden("loan_row")
    for status in ({"waitingForDisbursal": False}, {"id": 300}):
        assert not loan_of(row | {"status": row["status"] | status}).awaiting_disbursal


@pytest.mark.parametrize("missing", ["id", "status", "currency", "loanProductId"])
def test_a_row_without_what_must_be_there_is_unreadable_not_guessed(missing: str) -> None:
    row = golden("loan_row")
    del row[missing]
    with pytest.raises(Transient):
        loan_of(row)


def test_a_client_without_a_phone_or_with_a_blank_one_has_none() -> None:
    body = {"id": 27, "displayName": "Achieng Otieno", "active": True}
    assert client_of(body).phone is None
    assert client_of(body | {"mobileNo": "  "}).phone is None
    assert client_of(body | {"mobileNo": " 0712 000 111 "}).phone == "0712 000 111"


async def test_the_simulator_sends_every_field_of_the_samples_in_the_samples_types(bank: Bank) -> None:
    loan_id = await bank.loan()
    listed = await bank.call("GET", "/loans", status="200", limit="10", orderBy="id")
    done = await bank.command(loan_id, "disburse", disburse_body(receiptNumber="R", paymentTypeId=1, externalId="x"))
    details = await bank.call("GET", f"/loans/{loan_id}", associations="transactions")
    pairs = [
        (golden("loan_row"), json.loads(listed.text, parse_float=Decimal)["pageItems"][0]),
        (golden("disburse_done"), json.loads(done.text, parse_float=Decimal)),
        (golden("transaction"), json.loads(details.text, parse_float=Decimal)["transactions"][0]),
    ]
    for sample, sent in pairs:
        assert_same_shape(sample, sent)


def assert_same_shape(sample: object, sent: object, path: str = "") -> None:
    assert type(sample) is type(sent), path
    if isinstance(sample, dict) and isinstance(sent, dict):
        for key, value in sample.items():
            if key in ("accountNumber", "paymentTypeId") and key not in sent:
                continue  # echoes of what was sent
            assert key in sent, f"{path}.{key}"
            assert_same_shape(value, sent[key], f"{path}.{key}")


def test_dates_are_read_as_arrays_and_as_text_and_nothing_else() -> None:
    assert read_date([2026, 6, 29]) == read_date([2026, 6, 29, 9, 12, 44]) == date(2026, 6, 29)
    assert read_date("2026-06-29") == read_date("2026-06-29T09:12:44.123Z") == date(2026, 6, 29)
    assert read_date(None) is None
    wrongs: list[object] = [1782691200000, [2026, 13, 1], [2026, 6], "29 June 2026", {}]
    for wrong in wrongs:
        with pytest.raises(ValueError):
            read_date(wrong)


@given(st.dates())
def test_a_date_survives_the_way_there_and_back(day: date) -> None:
    assert read_date(spell_date(day)) == read_date([day.year, day.month, day.day]) == day


@given(st.integers(0, 10**12))
def test_an_amount_survives_the_way_there_and_back(minor: int) -> None:
    money = Money(minor, "KES")
    assert read_amount(Decimal(f"{money.major:.6f}"), "KES") == money
    assert read_amount(spell_amount(money), "KES") == money
    assert "," not in spell_amount(money)


def test_an_amount_with_more_places_than_its_currency_is_refused_not_rounded() -> None:
    with pytest.raises(InvalidRequest):
        read_amount(Decimal("3333.333333"), "KES")
    with pytest.raises(InvalidRequest):
        read_amount(Decimal("10.500000"), "UGX")
    with pytest.raises(ValueError):
        read_amount(10.5, "KES")


def test_a_complaint_is_read_from_the_envelope_from_a_bare_item_and_from_nothing() -> None:
    rule = parse_complaint(golden("error_rule"))
    assert rule.code == "error.msg.loan.disbursal.cannot.be.before.approval.date"
    assert rule.says("domain.rule.violation")
    assert rule.parameter is None
    assert parse_complaint(golden("error_malformed")).code == "error.msg.invalid.request.body"
    assert parse_complaint({"userMessageGlobalisationCode": "error.msg.loan.locked"}).says("loan.locked")
    nothings: list[object] = [None, [], "<html>", {}, {"Exception": "x"}, {"errors": None}, {"errors": ["?"]}]
    for nothing in nothings:
        assert not parse_complaint(nothing).readable


def test_a_hook_of_an_approval_names_the_loan() -> None:
    body = json.dumps(golden("hook_loan_approved"), default=str).encode()
    assert parse_hook(HEADERS, body) == HookEvent("LOAN", "APPROVE", 91, "default")


def test_the_headers_of_old_mifos_and_any_case_are_understood() -> None:
    body = json.dumps({"response": {"loanId": 7}})
    headers = {"x-mifos-entity": "loan", "X-MIFOS-ACTION": "Approve", "X-Mifos-Platform-TenantId": "faulu"}
    assert parse_hook(headers, body) == HookEvent("LOAN", "APPROVE", 7, "faulu")


def test_a_hook_of_a_failed_or_waiting_command_names_no_loan() -> None:
    body = golden("hook_loan_approved")
    for response in ("a message", None, {}, {"resourceId": 91}, {"loanId": "91"}, {"loanId": True}, {"loanId": 0}):
        event = parse_hook(HEADERS, json.dumps(body | {"response": response}, default=str))
        assert event == HookEvent("LOAN", "APPROVE", None, "default")
    del body["response"]
    assert parse_hook(HEADERS, json.dumps(body, default=str)).loan_id is None


@pytest.mark.parametrize("body", [b"", b"entityName=LOAN", b"[]", b"\xff\xfe", b'"LOAN"'])
def test_what_is_no_hook_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_hook(HEADERS, body)


def test_a_hook_that_names_no_event_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_hook({}, b"{}")


def test_today_is_a_date_of_the_business_zone() -> None:
    assert isinstance(today(), date)
