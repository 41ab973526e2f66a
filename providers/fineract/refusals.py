"""Fineract's refusals as our errors. Decided by code, never by HTTP status alone and never by text.

"Already disbursed" and "external id taken" come as 400 or as 403 by version (fineract.md 6, 7), so what is made here for a
command that books money is only what to say *after* the account was re-read and our transaction was not on it.
"""

from datetime import timedelta
from typing import Final

from core.errors import (
    Busy,
    Conflict,
    Garbled,
    InvalidRequest,
    KivukoError,
    LimitExceeded,
    NoAnswer,
    NotAllowed,
    NotFound,
    Rejected,
    Throttled,
    Transient,
)
from providers.fineract.wire import Complaint, parse_complaint
from providers.http import Answer, unreadable

PROVIDER: Final = "fineract"

FUTURE_DATE: Final = "future_date"
PAYMENT_TYPE_GONE: Final = "payment_type_gone"
ACCOUNT_CLOSED: Final = "account_closed"

_Rules = tuple[tuple[str, type[Rejected], str, dict[str, str]], ...]

# Fragment of a rule's code → what it means for us, whatever is booked (fineract.md 6, 7).
_EVERYWHERE: Final[_Rules] = (
    ("cannot.be.a.future.date", InvalidRequest, FUTURE_DATE, {"field": "paid_on"}),
    ("payment.type.invalid", InvalidRequest, PAYMENT_TYPE_GONE, {"field": "payment_type"}),
    ("date.on.holiday", InvalidRequest, "on_holiday", {"field": "paid_on"}),
    ("date.on.non.working.day", InvalidRequest, "on_non_working_day", {"field": "paid_on"}),
    ("duplicate.externalId", Conflict, "duplicate_external_id", {}),
    ("externalId.value.must.be.unique", Conflict, "duplicate_external_id", {}),
    ("data.integrity.issue", Conflict, "duplicate_external_id", {}),
    ("client.not.active", NotAllowed, "client_not_active", {}),
    ("not.allowed.on.charged.off", NotAllowed, "loan_charged_off", {}),
)
_DISBURSAL_RULES: Final[_Rules] = (
    ("cannot.be.before.approval.date", InvalidRequest, "before_approval", {"field": "paid_on"}),
    ("must.be.less.than.approved.principal", LimitExceeded, "amount_above_approved", {"field": "amount"}),
    ("greater.than.maximum.applied", LimitExceeded, "amount_above_approved", {"field": "amount"}),
    ("not.approve.not.disbursed.state", Conflict, "loan_state_refused", {}),
)
_PAYMENT_RULES: Final[_Rules] = (
    ("transaction.in.the.future", InvalidRequest, FUTURE_DATE, {"field": "paid_on"}),  # how savings say it
    ("cannot.be.before.disbursement.date", InvalidRequest, "before_disbursement", {"field": "paid_on"}),
    ("before.activation.date", InvalidRequest, "before_activation", {"field": "paid_on"}),
    ("made.before.last.transaction.date", InvalidRequest, "before_last_transaction", {"field": "paid_on"}),
    ("account.is.not.active", Conflict, ACCOUNT_CLOSED, {}),
    ("not.allowed.on.closed.or.overpaid", Conflict, ACCOUNT_CLOSED, {}),
    ("account.credit.transaction.not.allowed", Conflict, ACCOUNT_CLOSED, {}),
    ("account.blocked.transaction.not.allowed", Conflict, ACCOUNT_CLOSED, {}),
)
# Some servers report a lost lock on a savings account as a 403 with this code instead of a 409.
_SAVINGS_CONCURRENCY: Final = "savings.concurrent.operations"


def read_error(operation: str, answer: Answer) -> KivukoError:
    """For an answer to a read that is no success: NotAllowed, NotFound, Throttled, otherwise Transient."""
    said = parse_complaint(answer.json)
    if (access := _access_error(answer, said)) is not None:
        return access
    if answer.status == 403:
        return NotAllowed(
            f"Fineract refuses {operation} to this user.", code="permission_missing", **_provider_code(said)
        )
    # A container that is being redeployed says 404 in HTML; that is no word about the thing asked for.
    if answer.status == 404 and said.readable:
        return NotFound(f"Fineract knows nothing under what {operation} asked for.", **_provider_code(said))
    if answer.status == 429:
        return Throttled("Fineract asks us to slow down.", retry_after=_retry_after(answer))
    return unreadable(PROVIDER, operation, answer, "read")


def disbursal_error(answer: Answer) -> KivukoError:
    """For a disburse command that was not answered with 200. `new_key="yes"` in `extra`: the key replays this for ever.

    Unknown for what says nothing usable (5xx, HTML); the caller re-reads the loan and then knows better.
    """
    return _command_error("disbursal", answer, _DISBURSAL_RULES + _EVERYWHERE)


def payment_error(answer: Answer) -> KivukoError:
    """The same for a repayment or a deposit."""
    return _command_error("payment", answer, _PAYMENT_RULES + _EVERYWHERE)


def _command_error(noun: str, answer: Answer, rules: _Rules) -> KivukoError:
    said = parse_complaint(answer.json)
    replayed = served_from_cache(answer)
    facts = _provider_code(said) | ({"replayed": "yes"} if replayed else {})
    if (access := _access_error(answer, said)) is not None:
        return access
    if answer.status == 425:
        return Busy("Fineract still works on this very command.", code="still_processing")
    if answer.status == 429:
        return Throttled("Fineract asks us to slow down.", retry_after=_retry_after(answer))
    if answer.status == 409 and said.says("error.msg.loan.locked"):
        # Refused before the command row is made, so the key is not used up (fineract.md 10).
        return Busy("The loan is locked by the close-of-business job.", code="loan_locked", **facts)
    if answer.status == 409 or said.says(_SAVINGS_CONCURRENCY):
        detail = "Fineract met a concurrent change of the account."
        return Busy(detail, code="concurrent_change", new_key="yes", **facts)
    if answer.status >= 500 or not said.readable:
        detail = f"Fineract answered the {noun} with HTTP {answer.status}."
        kind = NoAnswer if answer.status >= 500 else Garbled
        return kind(detail, **facts, **({"new_key": "yes"} if replayed else {}))
    if said.says("error.msg.not.authorized"):
        return NotAllowed(f"The Fineract user may not post a {noun}.", code="permission_missing", **facts)
    for fragment, kind_of, code, extra in rules:
        if said.says(fragment):
            return kind_of(f"Fineract refused the {noun}: {code}.", code=code, new_key="yes", **extra, **facts)
    if answer.status == 404:
        return NotFound("Fineract does not know the account.", new_key="yes", **facts)
    if answer.status == 403:
        return NotAllowed(f"A rule of Fineract forbids the {noun}.", code="refused_by_rule", new_key="yes", **facts)
    field = {"field": said.parameter} if said.parameter else {}
    return InvalidRequest(f"Fineract refused a field of the {noun}.", new_key="yes", **field, **facts)


def served_from_cache(answer: Answer) -> bool:
    """A stored result of the same key, good or bad (fineract.md 9)."""
    return answer.headers.get("x-served-from-cache", "").lower() == "true"


def settled(error: KivukoError) -> KivukoError:
    """What an error means once a re-read showed that the account still takes it and our transaction is not on it."""
    if isinstance(error, NoAnswer | Garbled):
        return Transient("Fineract has not booked it; it may be sent again.", code="not_booked", **error.extra)
    return error


def _access_error(answer: Answer, said: Complaint) -> NotAllowed | None:
    # A missing or unknown tenant is a 400 with a challenge, or a 401 with a code (fineract.md 1).
    challenged = answer.status == 400 and "www-authenticate" in answer.headers
    if challenged or said.says("invalid.tenant.identifier"):
        return NotAllowed("Fineract does not know this tenant.", code="tenant_unknown", field="tenant")
    if answer.status == 401:
        return NotAllowed("Fineract refuses the user name or password.", code="credentials_refused", field="password")
    return None


def _provider_code(said: Complaint) -> dict[str, str]:
    return {"provider_code": said.code} if said.code else {}


def _retry_after(answer: Answer) -> timedelta | None:
    seconds = answer.headers.get("retry-after", "")
    return timedelta(seconds=int(seconds)) if seconds.isdigit() else None
