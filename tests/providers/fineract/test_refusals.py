"""What Fineract's refusals mean, by their codes alone: each named one, at 400 and at 403, and the forms of 409 and 425."""

from typing import Any

import pytest

from core.errors import Busy, KivukoError, NoAnswer, NotAllowed, NotFound, Throttled
from providers.fineract.refusals import disbursal_error, payment_error, read_error
from providers.http import Answer

DISBURSAL = {
    "error.msg.loan.disbursal.cannot.be.a.future.date": "future_date",
    "error.msg.loan.disbursal.cannot.be.before.approval.date": "before_approval",
    "error.msg.loan.disburse.amount.must.be.less.than.approved.amount": "amount_above_approved",
    "error.msg.loan.disburse.amount.must.be.less.than.approved.principal": "amount_above_approved",
    "error.msg.loan.disbursal.amount.can't.be.greater.than.maximum.applied.loan.amount.calculation":
        "amount_above_approved",
    "error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state": "loan_state_refused",
    "error.msg.loan.application.disbursement.date.on.holiday": "on_holiday",
    "error.msg.loan.application.disbursement.date.on.non.working.day": "on_non_working_day",
    "error.msg.loan.disbursement.duplicate.externalId": "duplicate_external_id",
    "error.msg.data.integrity.issue": "duplicate_external_id",
    "error.msg.loan.disbursement.unknown.data.integrity.issue": "data_integrity",
    "error.msg.client.not.active.exception": "client_not_active",
    "error.msg.loan.disbursal.not.allowed.on.charged.off": "loan_charged_off",
    "error.msg.loan.amount.less.than.outstanding.of.loan.to.be.closed": "top_up_too_small",
    "error.msg.glJournalEntry.invalid.accounting.closed": "books_closed",
}  # fmt: skip
PAYMENT = {
    "error.msg.savingsaccount.transaction.in.the.future": "future_date",
    "error.msg.loan.transaction.cannot.be.before.disbursement.date": "before_disbursement",
    "error.msg.loan.repayment.or.waiver.cannot.be.made.before.client.transfer.date": "before_transfer",
    "error.msg.loan.repayment.or.waiver.cannot.be.made.before.last.transaction.date": "before_last_transaction",
    "error.msg.savingsaccount.transaction.before.activation.date": "before_activation",
    "error.msg.loan.must.be.active.fully.paid.or.overpaid": "account_closed",
    "error.msg.loan.repayment.or.waiver.account.is.not.active": "account_closed",
    "validation.msg.loan.transaction.externalId.value.must.be.unique": "duplicate_external_id",
}


def answer(status: int, body: Any, **headers: str) -> Answer:
    return Answer(status, "", body, headers)


def refusal(status: int, code: str) -> Answer:
    top = "validation.msg.validation.errors.exist" if status == 400 else "validation.msg.domain.rule.violation"
    item = {"userMessageGlobalisationCode": code, "parameterName": "id"}
    return answer(status, {"httpStatusCode": str(status), "userMessageGlobalisationCode": top, "errors": [item]})


def plain(error: KivukoError) -> bool:
    """A sentence for people: no code of ours or theirs in it."""
    return error.detail.endswith(".") and "_" not in error.detail and "error.msg" not in error.detail


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(("code", "ours"), DISBURSAL.items())
def test_each_refusal_of_a_disbursal_has_a_name(status: int, code: str, ours: str) -> None:
    error = disbursal_error(refusal(status, code))
    assert (error.code, error.extra["provider_code"], error.extra["new_key"]) == (ours, code, "yes")
    assert plain(error)


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize(("code", "ours"), PAYMENT.items())
def test_each_refusal_of_a_payment_has_a_name(status: int, code: str, ours: str) -> None:
    error = payment_error(refusal(status, code))
    assert (error.code, error.extra["provider_code"], error.extra["new_key"]) == (ours, code, "yes")
    assert plain(error)


@pytest.mark.parametrize(
    ("status", "body", "code", "new_key"),
    [
        (409, {"httpStatusCode": "409", "userMessageGlobalisationCode": "error.msg.loan.locked"}, "loan_locked", None),
        (409, {"userMessageGlobalisationCode": "error.msg.platform.service.loan.conflict", "errors": []},
         "concurrent_change", "yes"),
        (409, None, "concurrent_change", "yes"),
        (425, {"transactionAmount": "10000.00", "locale": "en"}, "still_processing", None),
        (425, None, "still_processing", None),
    ],
)  # fmt: skip
def test_locks_and_running_commands_are_waited_for(status: int, body: Any, code: str, new_key: str | None) -> None:
    for error in (disbursal_error(answer(status, body)), payment_error(answer(status, body))):
        assert isinstance(error, Busy)
        assert (error.code, error.extra.get("new_key")) == (code, new_key)
        assert plain(error)


def test_what_the_container_says_is_no_word_of_fineract() -> None:
    def said(status: int) -> dict[str, Any]:
        return {"timestamp": "2026-11-30T04:47:21.123+00:00", "status": status, "error": "-", "path": "/x"}

    challenge = {"www-authenticate": "Basic"}
    assert isinstance(disbursal_error(answer(500, said(500))), NoAnswer)
    assert disbursal_error(answer(401, said(401), **challenge)).code == "credentials_refused"
    assert disbursal_error(answer(400, said(400), **challenge)).code == "tenant_unknown"
    assert disbursal_error(answer(415, said(415))).code == "garbled"


@pytest.mark.parametrize("seconds", ["7", "²", "9" * 40, "soon", ""])
def test_a_request_to_slow_down_is_bounded_whatever_it_says(seconds: str) -> None:
    error = disbursal_error(answer(429, None, **{"retry-after": seconds}))
    assert isinstance(error, Throttled)
    assert error.retry_after is None or error.retry_after.total_seconds() <= 3600


def test_a_read_says_in_plain_words_what_is_missing() -> None:
    gone = read_error("loans.read", answer(404, {"userMessageGlobalisationCode": "error.msg.resource.not.found"}))
    assert isinstance(gone, NotFound)
    assert gone.detail == "Fineract has no such loan."
    refused = read_error(
        "payment_types.list", answer(403, {"userMessageGlobalisationCode": "error.msg.not.authorized"})
    )
    assert isinstance(refused, NotAllowed)
    assert (refused.code, refused.detail) == (
        "permission_missing",
        "The Fineract user may not read a list of payment types.",
    )
