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
# The date is before the first one that the account, its client or the books allow.
TOO_EARLY: Final = frozenset(
    {
        "before_approval", "before_disbursement", "before_activation", "before_transfer", "before_last_transaction",
        "books_closed",
    }
)  # fmt: skip
CLOSED_DAY: Final = frozenset({"on_holiday", "on_non_working_day"})

_LONGEST_PAUSE: Final = timedelta(hours=1)

_DATE: Final = {"field": "paid_on"}
_Rules = tuple[tuple[str, type[Rejected], str, str, dict[str, str]], ...]

# Fragment of a rule's code → what it means for us, whatever is booked, and in plain words (fineract.md 6, 7).
_EVERYWHERE: Final[_Rules] = (
    ("cannot.be.a.future.date", InvalidRequest, FUTURE_DATE, "the date is ahead of its calendar", _DATE),
    ("client.transfer.date", InvalidRequest, "before_transfer",
     "the date is before the disbursement, or before the client came to its present office", _DATE),
    ("accounting.closed", InvalidRequest, "books_closed", "the books of that day are closed", _DATE),
    ("payment.type.invalid", InvalidRequest, PAYMENT_TYPE_GONE, "the payment type is gone", {"field": "payment_type"}),
    ("date.on.holiday", InvalidRequest, "on_holiday", "that day is a holiday", _DATE),
    ("date.on.non.working.day", InvalidRequest, "on_non_working_day", "that day is no working day", _DATE),
    ("duplicate.externalId", Conflict, "duplicate_external_id", "another transaction bears the same external id", {}),
    ("externalId.value.must.be.unique", Conflict, "duplicate_external_id",
     "another transaction bears the same external id", {}),
    ("unknown.data.integrity.issue", Conflict, "data_integrity", "a value does not fit its tables", {}),
    ("data.integrity.issue", Conflict, "duplicate_external_id",
     "it breaks the uniqueness of its records, most likely of the external id", {}),
    ("client.not.active", NotAllowed, "client_not_active", "the client is not active", {}),
    ("group.not.active", NotAllowed, "group_not_active", "the client's group is not active", {}),
    ("not.allowed.on.charged.off", NotAllowed, "loan_charged_off", "the loan is charged off", {}),
)  # fmt: skip
_DISBURSAL_RULES: Final[_Rules] = (
    ("cannot.be.before.approval.date", InvalidRequest, "before_approval",
     "the date is before the loan's approval", _DATE),
    # Ends in "amount" where a loan is disbursed once, in "principal" where in tranches and on older servers.
    ("must.be.less.than.approved.", LimitExceeded, "amount_above_approved",
     "the amount is above the approved one", {"field": "amount"}),
    ("greater.than.maximum.applied", LimitExceeded, "amount_above_approved",
     "the amount is above the largest that the product allows", {"field": "amount"}),
    ("not.approve.not.disbursed.state", Conflict, "loan_state_refused",
     "the loan is not in a state in which it is disbursed", {}),
    ("less.than.outstanding.of.loan.to.be.closed", LimitExceeded, "top_up_too_small",
     "the loan is smaller than what the older loan that it closes still owes", {"field": "amount"}),
)  # fmt: skip
_CLOSED: Final = "the account takes no payments"
_PAYMENT_RULES: Final[_Rules] = (
    # How savings say it.
    ("transaction.in.the.future", InvalidRequest, FUTURE_DATE, "the date is ahead of its calendar", _DATE),
    ("cannot.be.before.disbursement.date", InvalidRequest, "before_disbursement",
     "the date is before the loan's disbursement", _DATE),
    ("before.activation.date", InvalidRequest, "before_activation",
     "the date is before the account's activation", _DATE),
    ("made.before.last.transaction.date", InvalidRequest, "before_last_transaction",
     "the date is before the loan's last transaction", _DATE),
    ("must.be.active.fully.paid.or.overpaid", Conflict, ACCOUNT_CLOSED, "the loan is not disbursed", {}),
    ("account.is.not.active", Conflict, ACCOUNT_CLOSED, _CLOSED, {}),
    ("not.allowed.on.closed.or.overpaid", Conflict, ACCOUNT_CLOSED, _CLOSED, {}),
    ("account.credit.transaction.not.allowed", Conflict, ACCOUNT_CLOSED, _CLOSED, {}),
    ("account.blocked.transaction.not.allowed", Conflict, ACCOUNT_CLOSED, _CLOSED, {}),
)  # fmt: skip
# Some servers report a lost lock on a savings account as a 403 with this code instead of a 409.
_SAVINGS_CONCURRENCY: Final = "savings.concurrent.operations"


# What a read asks for, in plain words.
_NOUNS: Final = {
    "loans.read": "a loan", "loans.list": "a list of loans", "loans.transaction": "a loan's transaction",
    "loan_products.list": "a list of loan products", "clients.read": "a client", "savings.read": "a savings account",
    "savings.transaction": "a savings transaction", "savings.deposits": "a list of deposits",
    "accounts.search": "a search of accounts", "payment_types.list": "a list of payment types",
    "business_date.read": "a business date", "hooks.list": "a list of hooks", "clients.list": "a list of clients",
}  # fmt: skip


def _noun(operation: str) -> str:
    return _NOUNS.get(operation, "a record")


def read_error(operation: str, answer: Answer) -> KivukoError:
    """For an answer to a read that is no success: NotAllowed, NotFound, Throttled, otherwise Transient."""
    said = parse_complaint(answer.json)
    if (access := _access_error(answer, said)) is not None:
        return access
    if answer.status == 403:
        return NotAllowed(
            f"The Fineract user may not read {_noun(operation)}.", code="permission_missing", **_provider_code(said)
        )
    # A container that is being redeployed says 404 in HTML; that is no word about the thing asked for.
    if answer.status == 404 and said.readable:
        return NotFound(f"Fineract has no such {_noun(operation)[2:]}.", **_provider_code(said))
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
        return Busy(
            "Fineract still works on this very booking, or a checker has not agreed to it yet.", code="still_processing"
        )
    if answer.status == 429:
        return Throttled("Fineract asks us to slow down.", retry_after=_retry_after(answer))
    if answer.status == 409 and said.says("error.msg.loan.locked"):
        # Refused before the command row is made, so the key is not used up (fineract.md 10).
        return Busy("Fineract: the loan is locked by the close-of-business job.", code="loan_locked", **facts)
    if answer.status == 409 or said.says(_SAVINGS_CONCURRENCY):
        detail = "Fineract met a concurrent change of the account."
        return Busy(detail, code="concurrent_change", new_key="yes", **facts)
    if answer.status >= 500 or not said.readable:
        detail = f"Fineract answered the {noun} with HTTP {answer.status}."
        kind = NoAnswer if answer.status >= 500 else Garbled
        return kind(detail, **facts, **({"new_key": "yes"} if replayed else {}))
    if said.says("error.msg.not.authorized"):
        return NotAllowed(f"The Fineract user may not post a {noun}.", code="permission_missing", **facts)
    for fragment, kind_of, code, words, extra in rules:
        if said.says(fragment):
            return kind_of(f"Fineract refused the {noun}: {words}.", code=code, new_key="yes", **extra, **facts)
    if answer.status == 404:
        return NotFound(f"Fineract does not know the account of the {noun}.", new_key="yes", **facts)
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
    seconds = answer.headers.get("retry-after", "").strip()
    plain = seconds.isascii() and seconds.isdecimal() and len(seconds) <= 9
    return min(timedelta(seconds=int(seconds)), _LONGEST_PAUSE) if plain else None
