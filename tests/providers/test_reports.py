"""Whatever a provider says arrives in the report that a saga takes: its wire module makes it, and no field is lost on the
way through the inbox, the answer to a query, or Temporal."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core.money import Money
from models.messages.saga.reports import Report
from providers.banking import BankAccount, Inquiry
from providers.daraja.stk import parse_stk_query
from providers.daraja.wire import (
    balances_beside,
    parse_result,
    parse_status_result,
    parse_stk_callback,
    parse_timeout_notice,
)
from providers.ncba.statement import parse_statement, verdict
from providers.reference_bank.wire import failed_report, settled_report
from tests.providers.daraja.bench import golden

AT = datetime(2026, 11, 21, 6, 14, tzinfo=UTC)
KES = Money(125_000, "KES")
REFERENCE = "pay_01j9zc3q4m0000000000000000-a1"


def refused(code: Any) -> Report:
    body = golden("result_failed")
    body["Result"] |= {"ResultCode": code}
    return parse_result(body)


def on_a_statement() -> Report:
    row = {
        "ValueDate": "21112026", "TransactionCurrency": "KES", "DebitAmount": "1250.00", "CreditAmount": "0",
        "CreditDebitFlag": "D", "InstrumentReferenceNumber": "FT26014AB12C", "Narrative": f"{REFERENCE} float",
    }  # fmt: skip
    lines = parse_statement([row], "1000200030")
    return verdict(lines, Inquiry(REFERENCE, "transfer", BankAccount("1000200030", "KIVUKO LTD"), KES, AT))


def queried_prompt() -> Report:
    report = parse_stk_query(golden("stk_query_paid"), golden("stk_query_paid")["CheckoutRequestID"])
    assert report is not None
    return report


PARTIES = {"reference", "provider_reference", "amount", "party_digits"}
PAID = {"reference", "provider_reference", "receipt", "amount", "happened_at"}
# What is said, by which way, how it ends, and the facts that must stand in the report beside.
SAID: list[tuple[Report, str, str, set[str]]] = [
    (parse_result(golden("result_paid")), "callback", "paid", PAID | {"party_digits"}),
    (refused(1), "callback", "failed", {"reference", "provider_reference", "retriable"}),
    (refused(2001), "callback", "failed", {"reference", "provider_reference", "operator_needed"}),
    (parse_timeout_notice(golden("timeout_notice_flat")), "timeout_notice", "unclear", PARTIES - {"provider_reference"}),
    (parse_status_result(golden("status_completed")), "query", "paid", PAID | {"party_digits"}),
    (parse_stk_callback(golden("stk_callback_paid")), "callback", "paid", PAID - {"reference"} | {"party_digits"}),
    (queried_prompt(), "query", "paid", {"provider_reference"}),
    (settled_report("callback", REFERENCE, "FT26014AB12C", amount=KES, happened_at=AT), "callback", "paid", PAID),
    (
        failed_report("query", REFERENCE, "FT26014AB12C", "INSUFFICIENT_FUNDS", amount=KES, happened_at=AT),
        "query", "failed", PAID - {"receipt"} | {"retriable", "operator_needed"},
    ),
    (on_a_statement(), "query", "paid", PAID),
]  # fmt: skip


def filled(report: Report) -> set[str]:
    return {name for name, value in report if value not in (None, False, "")} - {"source", "state", "code", "detail"}


@pytest.mark.parametrize(("report", "source", "state", "facts"), SAID)
def test_what_a_provider_says_stands_in_the_report(report: Report, source: str, state: str, facts: set[str]) -> None:
    assert (report.source, report.state) == (source, state)
    assert report.code
    assert report.detail
    assert filled(report) == facts


@pytest.mark.parametrize("report", [said[0] for said in SAID])
def test_a_report_arrives_whole_through_the_inbox(report: Report) -> None:
    assert Report.model_validate(report.model_dump(mode="json")) == report
    assert Report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize("report", [said[0] for said in SAID])
def test_our_reference_stands_instead_of_the_providers_word_and_all_else_stays(report: Report) -> None:
    ours = report.about("pay_1-a1")
    assert ours.reference == "pay_1-a1"
    assert ours.model_dump(exclude={"reference"}) == report.model_dump(exclude={"reference"})


def test_a_report_has_no_field_that_no_provider_fills() -> None:
    told = set[str]().union(*(filled(report) for report, *_ in SAID))
    assert set(Report.model_fields) - {"source", "state", "code", "detail"} == told


def test_the_balances_that_a_result_tells_are_kept_apart() -> None:
    assert balances_beside(golden("result_paid"))["Utility Account"] == Money(41_823_050, "KES")
    assert balances_beside(golden("result_failed")) == balances_beside(None) == balances_beside({"Result": 1}) == {}
