"""Booking a payout as a loan's disbursement, once.

    POST ?command=disburse ─► 200 that names our transaction ─► booked
           └► anything else ─► re-read the loan ─► ours is on it         booked
                                  ├► no answer                           Unknown
                                  ├► disbursed, but not by us            Conflict "disbursed_elsewhere"
                                  ├► no longer approved                  Conflict "loan_not_approved"
                                  └► approved, ours is not on it ─► one correction (date, payment type), the refusal,
                                                                    or Transient if no date is allowed today

Two barriers keep it single: the Idempotency-Key while the server keeps its commands, and for ever the transaction's
external id, unique in the tenant (fineract.md 6, 7.1, 9). A failure is stored under its key and replayed, so a
corrected command goes out under a key of its own.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from core.errors import Conflict, InvalidRequest, KivukoError, NoAnswer, NotAllowed, NotFound
from providers.fineract.commands import Attempt, Doubt, MoneyCommands, not_verified, refuse_too_long
from providers.fineract.refusals import disbursal_error, served_from_cache, settled
from providers.fineract.wire import spell_amount
from providers.http import Answer
from providers.ports import DisbursalPost, DisbursalPosted, Loan, LoanDisbursal

# Active, in transfer, closed, written off, rescheduled, overpaid: the money of such a loan is out (fineract.md 4).
_DISBURSED: Final = (
    "active", "transfer.in.progress", "transfer.on.hold", "closed.obligations.met", "closed.written.off",
    "closed.reschedule.outstanding.amount", "overpaid",
)  # fmt: skip


class DisbursalPosting:
    def __init__(self, commands: MoneyCommands, read_loan: Callable[[int], Awaitable[Loan]]) -> None:
        self._commands = commands
        self._read_loan = read_loan

    async def post(self, post: DisbursalPost) -> DisbursalPosted:
        """See `CoreBanking.post_disbursal`; errors carry `new_key="yes"` where the key would replay them for ever."""
        _refuse_what_cannot_be_carried(post)
        attempt = Attempt(post.idempotency_key, await self._commands.day_of(post.paid_at, post.not_before))
        while True:
            outcome = await self._command(post, attempt)
            if isinstance(outcome, DisbursalPosted):
                return outcome
            loan = await self._reread(post, outcome)
            if (ours := own_disbursal(loan, post)) is not None:
                return DisbursalPosted(loan.loan_id, ours.transaction_id, already_there=not outcome.said_booked)
            _refuse_by_state(loan)
            corrected = await self._commands.corrected(
                attempt, outcome.error, post.payment_type, not_before=loan.approved_on
            )
            if corrected is None:
                raise settled(outcome.error)
            attempt = corrected

    async def _command(self, post: DisbursalPost, attempt: Attempt) -> DisbursalPosted | Doubt:
        answer = await self._commands.send(
            "loans.disburse",
            f"/v1/loans/{post.loan_id}",
            "disburse",
            attempt,
            date_field="actualDisbursementDate",
            payment_type=post.payment_type,
            fields={
                "transactionAmount": spell_amount(post.amount),
                "receiptNumber": post.receipt,
                "accountNumber": post.account,
                "externalId": post.external_id,
                "note": post.note,
            },
            reference=post.external_id,
        )
        if isinstance(answer, Doubt):
            return answer
        return _judge_success(post, answer) if answer.status == 200 else Doubt(disbursal_error(answer))

    async def _reread(self, post: DisbursalPost, doubt: Doubt) -> Loan:
        try:
            return await self._read_loan(post.loan_id)
        except NotFound:
            raise
        except KivukoError as error:
            raise not_verified("disbursal", doubt.error.code, error) from error


def own_disbursal(loan: Loan, post: DisbursalPost) -> LoanDisbursal | None:
    """Our transaction on the loan, by external id or else by receipt; reversed ones count as not there."""
    standing = [item for item in loan.disbursals if not item.reversed]
    for item in standing:
        if item.external_id == post.external_id:
            return item
    return next((item for item in standing if item.receipt == post.receipt), None)


def _judge_success(post: DisbursalPost, answer: Answer) -> DisbursalPosted | Doubt:
    """A 200 is not yet a booking: maker-checker, a replay, another loan's replay and old servers answer 200 too."""
    body = answer.object
    changes = body.get("changes")
    status = changes.get("status") if isinstance(changes, dict) else None
    active = isinstance(status, dict) and status.get("active") is True
    transaction_id = body.get("subResourceId")
    if not body:
        return Doubt(NoAnswer("Fineract answered the disbursal with 200 and nothing that can be read."))
    if body.get("rollbackTransaction") is True or (not active and transaction_id is None):
        return Doubt(NotAllowed("The disbursal waits for a checker in Fineract.", code="awaiting_checker"))
    named = body.get("loanId", body.get("resourceId"))
    if named != post.loan_id:
        # The server's key does not include the loan (fineract.md 9): this is another loan's answer.
        detail = "The idempotency key was used for another loan before."
        return Doubt(Conflict(detail, code="idempotency_key_reused", new_key="yes"))
    if served_from_cache(answer):
        # What was booked then may have been undone since; the external id cannot be used again (fineract.md 6).
        return Doubt(Conflict("The disbursal was booked and undone since.", code="disbursal_undone", new_key="yes"))
    if type(transaction_id) is not int:
        return Doubt(NoAnswer("Fineract answered the disbursal without its transaction."), said_booked=True)
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
    refuse_too_long(
        idempotency_key=post.idempotency_key,
        receipt=post.receipt,
        account=post.account,
        external_id=post.external_id,
        note=post.note,
    )
    if not post.idempotency_key or not post.external_id:
        raise InvalidRequest("A disbursal needs a key and an external id.", field="idempotency_key")
    if post.amount.minor <= 0:
        raise InvalidRequest("The amount must be positive.", field="amount")
