"""Whatever a provider said arrives in the report that a saga takes: no field is lost on the way."""

from dataclasses import fields
from datetime import UTC, datetime

import pytest

from core.money import Money
from models.messages.saga.reports import Report
from providers.collecting import AskResult, AskState
from providers.ports import PayoutResult, PayoutState

AT = datetime(2026, 11, 21, 6, 14, tzinfo=UTC)
# `reference` is ours and given apart; the balances are the connection's, kept by another way.
ELSEWHERE = {"reference", "balances"}
PAYOUT = PayoutResult(
    PayoutState.paid, "0", "paid", reference="theirs", provider_reference="AG_1", receipt="UKL4X7QW2D",
    amount=Money(125_000, "KES"), party_digits="254712345678", happened_at=AT, retriable=True, operator_needed=True,
    balances={"Utility Account": Money(1, "KES")},
)  # fmt: skip
PROMPT = AskResult(
    AskState.paid, "0", "paid", provider_reference="ws_CO_1", receipt="UKL4X7QW2D", amount=Money(125_000, "KES"),
    party_digits="254712345678", happened_at=AT,
)  # fmt: skip


def test_every_field_is_filled_here() -> None:
    for result in (PAYOUT, PROMPT):
        assert all(getattr(result, field.name) for field in fields(result)), result


@pytest.mark.parametrize("name", [field.name for field in fields(PayoutResult) if field.name not in ELSEWHERE])
def test_a_field_of_a_payouts_result_arrives(name: str) -> None:
    report = Report.of(PAYOUT, "pay_1-a1", "callback")
    assert getattr(report, name) == (PAYOUT.state.value if name == "state" else getattr(PAYOUT, name))
    assert (report.reference, report.source) == ("pay_1-a1", "callback")


@pytest.mark.parametrize("name", [field.name for field in fields(AskResult)])
def test_a_field_of_a_prompts_result_arrives(name: str) -> None:
    report = Report.of(PROMPT, "pay_1-p1", "query")
    assert getattr(report, name) == (PROMPT.state.value if name == "state" else getattr(PROMPT, name))
    assert (report.reference, report.source) == ("pay_1-p1", "query")


def test_a_report_has_no_field_that_no_provider_fills() -> None:
    assert set(Report.model_fields) - {"source"} == {field.name for field in fields(PayoutResult)} - {"balances"}
    assert {field.name for field in fields(AskResult)} < set(Report.model_fields)


def test_what_we_know_better_stands_instead() -> None:
    assert Report.of(PAYOUT, "pay_1-a1", "callback", state="pending").state == "pending"
