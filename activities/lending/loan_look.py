"""The last look at a loan and its client before money moves: what the core bank would refuse afterwards is found here."""

from collections.abc import Iterator
from contextlib import contextmanager

from activities.lending.payable_loans import amount_to_pay, check_client
from core.errors import Busy, Conflict, NotAllowed, Transient
from core.msisdn import Msisdn
from providers.ports import BankClient, CoreBanking, Loan

PAYMENT_TYPE = "M-Pesa"
NO_ALLOWED_DATE = "no_allowed_date"

# The core bank refuses our user, not this loan: nothing has moved, so the loan waits until that is mended.
REFUSES_US = frozenset({"credentials_refused", "tenant_unknown", "permission_missing", "payment_type_missing"})


async def look_before_paying(
    bank: CoreBanking, loan: Loan, country: str, *, may_go_early: bool
) -> tuple[BankClient, Msisdn]:
    """The client whom to pay and the phone, if the payout could be booked afterwards.

    Raises Conflict (no longer approved), InvalidRequest, LimitExceeded, NotAllowed (loan, client, phone; code
    "no_allowed_date" while the day has not come), Transient (also while the bank refuses our user).
    """
    if not loan.awaiting_disbursal:
        code = "disbursed_elsewhere" if loan.active else "loan_not_approved"
        raise Conflict(f"The loan is no longer awaiting disbursal ({_words(loan.status)}).", code=code)
    amount_to_pay(loan)
    assert loan.client_id is not None
    with waiting_while_refused():
        client = await bank.client(loan.client_id)
        check_client(client)
        msisdn = Msisdn.parse(client.phone or "", country)
        await _check_date(bank, loan, client, may_go_early=may_go_early)
        # Without its type a receipt is dropped silently, and a type that may not be read stops every booking.
        await bank.payment_type(PAYMENT_TYPE)
    return client, msisdn


async def read_loan(bank: CoreBanking, loan_id: int) -> Loan:
    """The loan as it is now. Raises NotFound, Transient (also while the bank refuses our user)."""
    with waiting_while_refused():
        return await bank.loan(loan_id)


@contextmanager
def waiting_while_refused() -> Iterator[None]:
    """Turns a refusal of our user, which may be lifted, into Busy."""
    try:
        yield
    except NotAllowed as refusal:
        if refusal.code not in REFUSES_US:
            raise
        raise Busy(refusal.detail, code=refusal.code, **refusal.extra) from refusal


async def _check_date(bank: CoreBanking, loan: Loan, client: BankClient, *, may_go_early: bool) -> None:
    expected = None if may_go_early else loan.expected_disbursement_on
    days = [day for day in (loan.approved_on, expected) if day is not None]
    try:
        await bank.may_book_today(not_before=max(days, default=None), office_id=client.office_id)
    except Transient as error:
        if error.code != NO_ALLOWED_DATE:
            raise
        detail = error.detail
        if expected is not None and error.extra.get("why") == "not_before" and expected == max(days):
            detail = f"The loan is expected to be disbursed on {expected}, and its product may not go earlier."
        raise NotAllowed(detail, code=NO_ALLOWED_DATE, **error.extra) from error


def _words(status: str) -> str:
    return status.rpartition("loanStatusType.")[2].replace(".", " ")
