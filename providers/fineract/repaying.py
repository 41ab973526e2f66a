"""Booking a customer's payment as a loan repayment or a savings deposit, once.

    look at the account ─► ours is on it already                             booked
           │               └► takes no payments                              Conflict "account_closed"
           ▼
    POST ?command=repayment | deposit ─► 200 that names our transaction ─► booked
           └► anything else ─► look again ─► ours is on it                   booked
                                  ├► no answer                               Unknown
                                  ├► takes no payments (any more)            Conflict "account_closed"
                                  └► ours is not on it ─► one correction (date, payment type) or the refusal

A look comes first, unlike with a disbursal: a loan is disbursed once, but it takes a second repayment gladly, and a clerk may
have typed this one in from the customer's message. The Idempotency-Key keeps a repeat single while the server keeps its
commands; for ever a repayment's external id does, unique in the tenant. A deposit has none on most servers, so it is
known again by receipt, amount and about the day (fineract.md 7, 9).
"""

from datetime import date
from typing import Final

from core.errors import Conflict, InvalidRequest, KivukoError, NoAnswer, NotAllowed, NotFound
from providers.fineract.accounts import NEAR, Accounts, Statement
from providers.fineract.commands import Attempt, Doubt, MoneyCommands, not_verified, refuse_too_long
from providers.fineract.refusals import ACCOUNT_CLOSED, payment_error, served_from_cache, settled
from providers.fineract.wire import spell_amount
from providers.http import Answer
from providers.repayments import AccountKind, PaymentPost, PaymentPosted, RecordedPayment

# kind → operation, folder, command, and the field of the answer that names the account
_COMMANDS: Final[dict[AccountKind, tuple[str, str, str, str]]] = {
    "loan": ("loans.repay", "loans", "repayment", "loanId"),
    "savings": ("savings.deposit", "savingsaccounts", "deposit", "savingsId"),
}


class PaymentPosting:
    """`savings_external_ids`: the server takes an external id on a deposit (fineract.md 7.2)."""

    def __init__(self, commands: MoneyCommands, accounts: Accounts, *, savings_external_ids: bool) -> None:
        self._commands = commands
        self._accounts = accounts
        self._savings_external_ids = savings_external_ids

    async def post(self, post: PaymentPost) -> PaymentPosted:
        """See `Fineract.post_payment`; errors carry `new_key="yes"` where the key would replay them for ever."""
        _refuse_what_cannot_be_carried(post)
        day = self._commands.calendar_day(post.paid_at)
        seen = await self._look(post, day, None)
        if (found := _own_or_refuse(post, day, seen)) is not None:
            return found
        attempt = Attempt(post.idempotency_key, await self._commands.day_of(post.paid_at, seen.account.opened_on))
        while True:
            outcome = await self._command(post, attempt)
            if isinstance(outcome, int):
                return await self._booked(post, outcome)
            seen = await self._look(post, day, outcome)
            if (found := _own_or_refuse(post, day, seen, said_booked=outcome.said_booked)) is not None:
                return found
            corrected = await self._commands.corrected(
                attempt, outcome.error, post.payment_type, not_before=seen.account.opened_on
            )
            if corrected is None:
                raise settled(outcome.error)
            attempt = corrected

    async def _look(self, post: PaymentPost, day: date, doubt: Doubt | None) -> Statement:
        """Before anything is sent, a look that brought nothing is Transient; a refused one leaves an earlier call open."""
        try:
            return await self._accounts.statement(post.kind, post.account_id, post.amount, day)
        except NotFound as error:
            if doubt is None or isinstance(doubt.error, NotFound):
                raise
            raise not_verified("payment", doubt.error.code, error) from error
        except KivukoError as error:
            if doubt is None and not isinstance(error, NotAllowed):
                raise
            raise not_verified("payment", doubt.error.code if doubt else "not_sent", error) from error

    async def _command(self, post: PaymentPost, attempt: Attempt) -> int | Doubt:
        """The id of our transaction, or why it is not known."""
        operation, folder, command, _ = _COMMANDS[post.kind]
        fields = {
            "transactionAmount": spell_amount(post.amount),
            "receiptNumber": post.receipt,
            "note": post.note,
        }
        if post.payer:
            fields["accountNumber"] = post.payer
        external_id = post.external_id if post.kind == "loan" or self._savings_external_ids else None
        if external_id:
            fields["externalId"] = external_id
        answer = await self._commands.send(
            operation,
            f"/v1/{folder}/{post.account_id}/transactions",
            command,
            attempt,
            date_field="transactionDate",
            payment_type=post.payment_type,
            fields=fields,
            reference=post.external_id,
        )
        if isinstance(answer, Doubt):
            return answer
        return _judge_success(post, external_id, answer) if answer.status == 200 else Doubt(payment_error(answer))

    async def _booked(self, post: PaymentPost, transaction_id: int) -> PaymentPosted:
        try:
            account = await self._accounts.read(post.kind, post.account_id)
        except KivukoError:
            return PaymentPosted(post.account_id, transaction_id, already_there=False)
        left = account.outstanding if post.kind == "loan" else account.balance
        return PaymentPosted(post.account_id, transaction_id, already_there=False, left=left)


def own_payment(payments: list[RecordedPayment], post: PaymentPost, day: date) -> RecordedPayment | None:
    """Ours among these, by external id or else by receipt, amount and day; reversed ones do not count. It may stand under a
    later day than its own, as late as the bank's rules demand."""
    standing = [item for item in payments if not item.reversed]
    for item in standing:
        if item.external_id == post.external_id:
            return item
    receipt = post.receipt.strip().casefold()
    for item in standing:
        if (
            item.paid_on >= day - NEAR
            and item.amount == post.amount
            and (item.receipt or "").strip().casefold() == receipt
        ):
            return item
    return None


def _own_or_refuse(post: PaymentPost, day: date, seen: Statement, *, said_booked: bool = False) -> PaymentPosted | None:
    """Our payment if it is on the account; None if it is not and may be sent."""
    account = seen.account
    if (ours := own_payment(seen.payments, post, day)) is not None:
        left = account.outstanding if account.kind == "loan" else account.balance
        return PaymentPosted(account.account_id, ours.transaction_id, already_there=not said_booked, left=left)
    if account.currency != post.amount.currency:
        raise InvalidRequest("The account is in another currency.", code="currency_mismatch", field="amount")
    if not account.takes_payments:
        raise Conflict("The account takes no payments.", code=ACCOUNT_CLOSED, status=account.status.rpartition(".")[2])
    return None


def _judge_success(post: PaymentPost, external_id: str | None, answer: Answer) -> int | Doubt:
    """A 200 is not yet a booking: maker-checker, a replay and another account's replay answer 200 too."""
    body, names_account = answer.object, _COMMANDS[post.kind][3]
    named, transaction_id = body.get(names_account), body.get("resourceId")
    if body.get("rollbackTransaction") is True or (named is None and "commandId" in body):
        return Doubt(NotAllowed("The payment waits for a checker in Fineract.", code="awaiting_checker"))
    if named is None:
        return Doubt(NoAnswer("Fineract answered the payment with 200 and nothing that can be read."))
    if named != post.account_id or (external_id and body.get("resourceExternalId", external_id) != external_id):
        # The server's key includes neither the account nor the body (fineract.md 9): this is another payment's answer.
        detail = "The idempotency key was used for another payment before."
        return Doubt(Conflict(detail, code="idempotency_key_reused", new_key="yes"))
    if served_from_cache(answer):
        # What was booked then may have been undone since, or it was another payment on this account.
        return Doubt(Conflict("The payment was booked and undone since.", code="payment_undone", new_key="yes"))
    if type(transaction_id) is not int:
        return Doubt(NoAnswer("Fineract answered the payment without its transaction."), said_booked=True)
    return transaction_id


def _refuse_what_cannot_be_carried(post: PaymentPost) -> None:
    refuse_too_long(
        idempotency_key=post.idempotency_key,
        receipt=post.receipt,
        payer=post.payer,
        external_id=post.external_id,
        note=post.note,
    )
    if not post.idempotency_key or not post.external_id:
        raise InvalidRequest("A payment needs a key and an external id.", field="idempotency_key")
    if not post.receipt.strip():
        # Without it a deposit could not be known again.
        raise InvalidRequest("A payment needs its receipt.", field="receipt")
    if post.amount.minor <= 0:
        raise InvalidRequest("The amount must be positive.", field="amount")
