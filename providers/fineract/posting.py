"""Booking a payout as a loan's disbursement, once.

    POST ?command=disburse ─► 200 that names our transaction ─► booked
           └► anything else ─► re-read the loan ─► ours is on it         booked
                                  ├► no answer                           Unknown
                                  ├► disbursed, but not by us            Conflict "disbursed_elsewhere"
                                  ├► no longer approved                  Conflict "loan_not_approved"
                                  └► approved, ours is not on it ─► one correction (date, payment type) or the refusal

Two barriers keep it single: the Idempotency-Key while the server keeps its commands, and for ever the transaction's
external id, unique in the tenant (fineract.md 6, 7.1, 9). A failure is stored under its key and replayed, so a
corrected command goes out under a key of its own.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any, Final

from core.clock import local_date, utc_now
from core.errors import Conflict, InvalidRequest, KivukoError, NoAnswer, NotAllowed, NotFound, NotReached, Transient
from providers.fineract.connection import FineractConnection
from providers.fineract.payment_types import PaymentTypes
from providers.fineract.refusals import FUTURE_DATE, PAYMENT_TYPE_GONE, disbursal_error, settled
from providers.fineract.wire import (
    DATE_FORMAT,
    LOCALE,
    MAX_EXTERNAL_ID,
    MAX_IDEMPOTENCY_KEY,
    MAX_NOTE,
    MAX_PAYMENT_TEXT,
    read_date,
    spell_amount,
    spell_date,
)
from providers.http import Answer
from providers.ports import DisbursalPost, DisbursalPosted, Loan, LoanDisbursal

# Active, in transfer, closed, written off, rescheduled, overpaid: the money of such a loan is out (fineract.md 4).
_DISBURSED: Final = (
    "active", "transfer.in.progress", "transfer.on.hold", "closed.obligations.met", "closed.written.off",
    "closed.reschedule.outstanding.amount", "overpaid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One command. Each of the two corrections is made at most once."""

    key: str
    paid_on: date
    redated: bool = False
    retyped: bool = False


@dataclass(frozen=True, slots=True)
class _Doubt:
    """No plain "booked" came back; `error` is what that means if our transaction is not on the loan."""

    error: KivukoError
    said_booked: bool = False  # a fresh 200 that only lacks the transaction's id (old servers)


class DisbursalPosting:
    def __init__(
        self,
        connection: FineractConnection,
        payment_types: PaymentTypes,
        read_loan: Callable[[int], Awaitable[Loan]],
    ) -> None:
        self._connection = connection
        self._payment_types = payment_types
        self._read_loan = read_loan

    async def post(self, post: DisbursalPost) -> DisbursalPosted:
        """See `CoreBanking.post_disbursal`; errors carry `new_key="yes"` where the key would replay them for ever."""
        _refuse_what_cannot_be_carried(post)
        attempt = _Attempt(post.idempotency_key, post.paid_on)
        while True:
            outcome = await self._command(post, attempt)
            if isinstance(outcome, DisbursalPosted):
                return outcome
            loan = await self._reread(post, outcome)
            if (ours := own_disbursal(loan, post)) is not None:
                return DisbursalPosted(loan.loan_id, ours.transaction_id, already_there=not outcome.said_booked)
            _refuse_by_state(loan)
            corrected = await self._corrected(post, attempt, outcome.error)
            if corrected is None:
                raise settled(outcome.error)
            attempt = corrected

    async def _command(self, post: DisbursalPost, attempt: _Attempt) -> DisbursalPosted | _Doubt:
        try:
            payment_type_id = await self._payment_types.id_of(post.payment_type)
        except Transient:
            raise  # nothing was sent by this call
        except KivukoError as error:
            return _Doubt(error)
        try:
            answer = await self._connection.send(
                "loans.disburse",
                f"/v1/loans/{post.loan_id}",
                _body(post, attempt.paid_on, payment_type_id),
                effect="money",
                params={"command": "disburse"},
                idempotency_key=attempt.key,
                reference=post.external_id,
            )
        except NotReached:
            raise  # the command never left
        except NoAnswer as error:
            return _Doubt(error)
        return _judge_success(post, answer) if answer.status == 200 else _Doubt(disbursal_error(answer))

    async def _reread(self, post: DisbursalPost, doubt: _Doubt) -> Loan:
        try:
            return await self._read_loan(post.loan_id)
        except NotFound:
            raise
        except KivukoError as error:
            # Even a refused re-read leaves us not knowing: an earlier call may have booked it.
            raise NoAnswer(
                "Fineract did not say plainly whether the disbursal is booked, and the loan could not be re-read.",
                code="not_verified",
                cause=doubt.error.code,
                reread=error.code,
            ) from error

    async def _corrected(self, post: DisbursalPost, attempt: _Attempt, error: KivukoError) -> _Attempt | None:
        if error.code == PAYMENT_TYPE_GONE and not attempt.retyped:
            self._payment_types.forget(post.payment_type)
            payment_type_id = await self._payment_types.id_of(post.payment_type)
            return replace(attempt, key=suffixed_key(attempt.key, f"pt{payment_type_id}"), retyped=True)
        if error.code == FUTURE_DATE and not attempt.redated:
            today = await self._business_date()
            # A replayed refusal is an old one: the date may have come since.
            if today < attempt.paid_on or error.extra.get("replayed") == "yes":
                day = min(today, attempt.paid_on)
                return replace(attempt, key=suffixed_key(attempt.key, spell_date(day)), paid_on=day, redated=True)
        return None

    async def _business_date(self) -> date:
        """The tenant's business date; where it keeps none, the calendar day in its zone (fineract.md 2)."""
        try:
            rows: Any = await self._connection.read("business_date.read", "/v1/businessdate")
        except (NotAllowed, NotFound):
            rows = []
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and row.get("type") == "BUSINESS_DATE":
                try:
                    day = read_date(row.get("date"))
                except ValueError:
                    break
                if day is not None:
                    return day
        return local_date(utc_now(), self._connection.credentials.timezone)


def own_disbursal(loan: Loan, post: DisbursalPost) -> LoanDisbursal | None:
    """Our transaction on the loan, by external id or else by receipt; reversed ones count as not there."""
    standing = [item for item in loan.disbursals if not item.reversed]
    for item in standing:
        if item.external_id == post.external_id:
            return item
    return next((item for item in standing if item.receipt == post.receipt), None)


def suffixed_key(key: str, suffix: str) -> str:
    """Another key made from this one, the same each time and within the server's 50 characters."""
    plain = f"{key}/{suffix}"
    if len(plain) <= MAX_IDEMPOTENCY_KEY:
        return plain
    return f"{key[:17]}~{sha256(plain.encode()).hexdigest()[:32]}"


def _body(post: DisbursalPost, paid_on: date, payment_type_id: int) -> dict[str, Any]:
    """Exactly what every version knows: any other field is refused with 400 (fineract.md 2, 6)."""
    return {
        "dateFormat": DATE_FORMAT,
        "locale": LOCALE,
        "actualDisbursementDate": spell_date(paid_on),
        "transactionAmount": spell_amount(post.amount),
        "paymentTypeId": payment_type_id,
        "receiptNumber": post.receipt,
        "accountNumber": post.account,
        "externalId": post.external_id,
        "note": post.note,
    }


def _judge_success(post: DisbursalPost, answer: Answer) -> DisbursalPosted | _Doubt:
    """A 200 is not yet a booking: maker-checker, a replay, another loan's replay and old servers answer 200 too."""
    body = answer.object
    changes = body.get("changes")
    status = changes.get("status") if isinstance(changes, dict) else None
    active = isinstance(status, dict) and status.get("active") is True
    transaction_id = body.get("subResourceId")
    if not body:
        return _Doubt(NoAnswer("Fineract answered the disbursal with 200 and nothing that can be read."))
    if body.get("rollbackTransaction") is True or (not active and transaction_id is None):
        return _Doubt(NotAllowed("The disbursal waits for a checker in Fineract.", code="awaiting_checker"))
    named = body.get("loanId", body.get("resourceId"))
    if named != post.loan_id:
        # The server's key does not include the loan (fineract.md 9): this is another loan's answer.
        detail = "The idempotency key was used for another loan before."
        return _Doubt(Conflict(detail, code="idempotency_key_reused", new_key="yes"))
    if answer.headers.get("x-served-from-cache", "").lower() == "true":
        # What was booked then may have been undone since; the external id cannot be used again (fineract.md 6).
        return _Doubt(Conflict("The disbursal was booked and undone since.", code="disbursal_undone", new_key="yes"))
    if type(transaction_id) is not int:
        return _Doubt(NoAnswer("Fineract answered the disbursal without its transaction."), said_booked=True)
    return DisbursalPosted(post.loan_id, transaction_id, already_there=False)


def _refuse_by_state(loan: Loan) -> None:
    """For a loan that our transaction is not on. A loan of several tranches may be active and still take ours."""
    standing = [item for item in loan.disbursals if not item.reversed]
    state = loan.status.removeprefix("loanStatusType.")
    if loan.awaiting_disbursal or (loan.multi_disburse and loan.active):
        return
    if loan.active or standing or state in _DISBURSED:
        raise Conflict("The loan was disbursed, but not by this payout.", code="disbursed_elsewhere", status=state)
    raise Conflict("The loan is no longer approved for disbursal.", code="loan_not_approved", status=state)


def _refuse_what_cannot_be_carried(post: DisbursalPost) -> None:
    for name, text, longest in (
        ("idempotency_key", post.idempotency_key, MAX_IDEMPOTENCY_KEY),
        ("receipt", post.receipt, MAX_PAYMENT_TEXT),
        ("account", post.account, MAX_PAYMENT_TEXT),
        ("external_id", post.external_id, MAX_EXTERNAL_ID),
        ("note", post.note, MAX_NOTE),
    ):
        if len(text) > longest:
            raise InvalidRequest(f"Fineract takes at most {longest} characters here.", code="too_long", field=name)
    if not post.idempotency_key or not post.external_id:
        raise InvalidRequest("A disbursal needs a key and an external id.", field="idempotency_key")
    if post.amount.minor <= 0:
        raise InvalidRequest("The amount must be positive.", field="amount")
