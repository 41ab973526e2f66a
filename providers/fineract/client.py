"""The Apache Fineract / Mifos X client, written by hand: the published OpenAPI document is wrong in places.

Facts: fineract.md 0 (where the document is wrong), 3 to 6 (what is read here).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Self

from core.clock import utc_now
from core.money import Money
from providers.fineract.access import check_access
from providers.fineract.accounts import Accounts
from providers.fineract.calendar import date_to_post
from providers.fineract.calendar_reading import Calendars, no_allowed_date
from providers.fineract.commands import MoneyCommands
from providers.fineract.connection import FineractConnection
from providers.fineract.hooks import ensure_hook
from providers.fineract.identity import identity_of
from providers.fineract.paging import read_all_by_id
from providers.fineract.payment_types import PaymentTypes
from providers.fineract.posting import DisbursalPosting
from providers.fineract.repaying import PaymentPosting
from providers.fineract.rows import may_be_approved, readable
from providers.fineract.shapes import APPROVED_STATUS, Unreadable, client_of, loan_of, product_of
from providers.fineract.wire import FineractCredentials
from providers.ports import (
    ApprovedLoans,
    BankClient,
    CoreBanking,
    DisbursalPost,
    DisbursalPosted,
    Endpoint,
    ExchangeRecorder,
    Loan,
    LoanProduct,
    forget_exchange,
)
from providers.repayments import (
    AccountKind,
    CustomerAccount,
    PaymentPost,
    PaymentPosted,
    RecordedPayment,
)


class Fineract(CoreBanking):
    """One user of one tenant. `endpoint.base_url` is `https://host/fineract-provider/api`. Close it after use."""

    def __init__(
        self, endpoint: Endpoint, credentials: FineractCredentials, *, recorder: ExchangeRecorder = forget_exchange
    ) -> None:
        self._connection = FineractConnection(endpoint, credentials, recorder)
        self._accounts = Accounts(self._connection)
        self._payment_types, self._calendars = PaymentTypes(self._connection), Calendars(self._connection)
        commands = MoneyCommands(self._connection, self._payment_types, self._calendars)
        self._posting = DisbursalPosting(commands, self.loan)
        self._repaying = PaymentPosting(commands, self._accounts, savings_external_ids=credentials.savings_external_ids)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connection.close()

    async def products(self) -> list[LoanProduct]:
        """All loan products of the tenant, those that cannot be read or are in unknown currencies left out."""
        rows = await self._connection.read("loan_products.list", "/v1/loanproducts")
        if not isinstance(rows, list):
            raise Unreadable("Fineract's answer is not a list of loan products.")
        return readable(rows, product_of).found

    async def approved_loans(self, *, after_id: int = 0, page: int = 100) -> ApprovedLoans:
        """All loans that await disbursal and have an id above `after_id`, by id. Holds no phone and no transactions.

        Each row's own state is looked at: servers up to 1.8 ignore `status` and send every loan (fineract.md 4).
        """

        async def fetch(offset: int, limit: int) -> list[Any]:
            # Without `limit` the server ignores `offset`, without `orderBy` the order is anybody's (fineract.md 2).
            wanted = {
                "status": APPROVED_STATUS,
                "offset": offset,
                "limit": limit,
                "orderBy": "id",
                "sortOrder": "ASC",
            }
            body = await self._connection.read("loans.list", "/v1/loans", wanted)
            rows = body.get("pageItems") if isinstance(body, dict) else None
            if not isinstance(rows, list):
                raise Unreadable("Fineract's answer is not a page of loans.")
            return rows

        rows = readable([row for row in await read_all_by_id(fetch, page) if may_be_approved(row)], loan_of)
        loans = [loan for loan in rows.found if loan.awaiting_disbursal and loan.loan_id > after_id]
        return ApprovedLoans(loans, [row for row in rows.unreadable if row.row_id is None or row.row_id > after_id])

    async def loan(self, loan_id: int) -> Loan:
        """One loan with its disbursals and its next instalment. Raises NotFound also for a loan outside our offices."""
        # Without `associations` no sub-list comes at all (fineract.md 5).
        wanted = {"associations": "transactions,repaymentSchedule"}
        return loan_of(await self._connection.read("loans.read", f"/v1/loans/{loan_id}", wanted))

    async def client(self, client_id: int) -> BankClient:
        """One borrower. The phone is here and nowhere else: loans carry none (fineract.md 4, 5)."""
        return client_of(await self._connection.read("clients.read", f"/v1/clients/{client_id}"))

    async def payment_type(self, name: str) -> int:
        return await self._payment_types.id_of(name)

    async def may_book_today(self, *, not_before: date | None, office_id: int | None) -> None:
        calendar = await self._calendars.read(office_id=office_id, rules=True)
        if date_to_post(utc_now(), calendar, not_before) is None:
            raise no_allowed_date(calendar, not_before)

    async def post_disbursal(self, post: DisbursalPost) -> DisbursalPosted:
        return await self._posting.post(post)

    async def find_accounts(self, number: str) -> list[CustomerAccount]:
        """Every loan and savings account with exactly this account number or external id; empty if there is none. Several
        mean that the number is ambiguous (fineract.md 8: a loan and a savings account may share one). Anything that
        is not a plausible account number (wildcards, blanks inside, over 50 characters) finds nothing."""
        return await self._accounts.find(number)

    async def account(self, kind: AccountKind, account_id: int) -> CustomerAccount:
        """Raises NotFound."""
        return await self._accounts.read(kind, account_id)

    async def post_payment(self, post: PaymentPost) -> PaymentPosted:
        """Books the payment once. Re-reads after every doubtful answer (external id, else receipt and amount and date), so
        a return means that it is booked.

        Raises Conflict (code "account_closed") if the account takes no payments, NotFound, NotAllowed with code
        "awaiting_checker" under maker-checker, other Rejected for a rule of the server (with `extra["new_key"] == "yes"`
        where the key would replay it for ever), Transient when it is known not to be booked, Unknown when even the
        re-read did not answer.
        """
        return await self._repaying.post(post)

    async def payments_about(
        self, kind: AccountKind, account_id: int, amount: Money, paid_on: date
    ) -> list[RecordedPayment]:
        """The payments recorded on an account, reversed ones too, among which one of this amount and about this day would be.
        Raises NotFound."""
        return (await self._accounts.statement(kind, account_id, amount, paid_on)).payments

    async def recorded_payment(self, kind: AccountKind, account_id: int, transaction_id: int) -> RecordedPayment:
        """One transaction that is a repayment or deposit, for a hook's hint. Raises NotFound for any other."""
        return await self._accounts.recorded(kind, account_id, transaction_id)

    async def check(self) -> None:
        """Signs in, looks at what this user may do, and reads the products. See `access.py`."""
        await check_access(self._connection, self._payment_types)
        await self.products()

    async def identity(self) -> str | None:
        """See `identity.py`. Raises NotAllowed, Transient."""
        return await identity_of(self._connection)

    async def register_hook(self, url: str, events: Sequence[tuple[str, str]]) -> int:
        """The hook's id, made or mended where needed; `events` are pairs such as ("LOAN", "APPROVE").

        `url` must end in a slash and answer a GET. Raises InvalidRequest if Fineract cannot reach it.
        """
        return await ensure_hook(self._connection, url, events)
