"""Finding and reading customers' accounts and what was paid on them (fineract.md 7, 8)."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from core.clock import utc_now
from core.errors import NotFound, Transient
from core.money import Money
from providers.fineract.account_shapes import account_of, hits_of, payment_of, payments_of
from providers.fineract.connection import FineractConnection
from providers.fineract.shapes import Unreadable
from providers.fineract.wire import DATE_FORMAT, LOCALE, spell_amount, spell_date
from providers.repayments import AccountKind, CustomerAccount, RecordedPayment

_LONGEST_NUMBER: Final = 50
_WILDCARDS: Final = frozenset("%_\\")
_MOST_HITS: Final = 50  # the server cuts its answer there
_PAGE: Final = 200
_MOST_PAGES: Final = 50

# A payment may stand under another day than its own: the tenant's business date lags, or a clerk typed it in later.
NEAR: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Statement:
    """An account and payments on it: all repayments of a loan, or the savings deposits that were asked for."""

    account: CustomerAccount
    payments: list[RecordedPayment]


class Accounts:
    def __init__(self, connection: FineractConnection) -> None:
        self._connection = connection

    async def find(self, number: str) -> list[CustomerAccount]:
        """See `Fineract.find_accounts`. The number stays out of the exchange log: customers type their phone's."""
        wanted = plausible(number)
        if wanted is None:
            return []
        found = []
        for kind, account_id in await self._candidates(wanted):
            try:
                account = await self.read(kind, account_id)
            except NotFound:
                continue  # gone, or moved to another office, since the search
            if wanted in (account.account_no, account.external_id):
                found.append(account)
        return found

    async def read(self, kind: AccountKind, account_id: int) -> CustomerAccount:
        """One account. Raises NotFound also for one outside our offices."""
        return account_of(kind, await self._details(kind, account_id))

    async def recorded(self, kind: AccountKind, account_id: int, transaction_id: int) -> RecordedPayment:
        """See `Fineract.recorded_payment`."""
        path = f"{_path(kind, account_id)}/transactions/{transaction_id}"
        item = await self._connection.read(f"{_NOUN[kind]}.transaction", path)
        payment = payment_of(await self.read(kind, account_id), item)
        if payment is None:
            raise NotFound("This transaction is no repayment and no deposit.", code="not_a_payment")
        return payment

    async def statement(self, kind: AccountKind, account_id: int, amount: Money, paid_on: date) -> Statement:
        """The account, and the payments among which one of this amount, booked about this day or later, would be."""
        if kind == "loan":
            body = await self._details(kind, account_id, "transactions")
            account = account_of(kind, body)
            return Statement(account, payments_of(account, body.get("transactions") or []))
        account = await self.read(kind, account_id)
        return Statement(account, await self._deposits(account, amount, paid_on))

    # ------------------------------------------------------------------------------------------------------- the calls

    async def _candidates(self, number: str) -> list[tuple[AccountKind, int]]:
        # `exactMatch` still compares with LIKE, and without minding upper and lower case: each row is looked at.
        query = urlencode({"query": number, "resource": "loans,savings", "exactMatch": "true"})
        rows = await self._connection.read("accounts.search", f"/v1/search?{query}", secret_answer=True)
        hits = hits_of(rows)
        if len(rows) >= _MOST_HITS:
            raise Unreadable("Fineract's search found more than it shows; the account may be among the rest.")
        return sorted({(hit.kind, hit.account_id) for hit in hits if number in hit.names})

    async def _details(self, kind: AccountKind, account_id: int, associations: str | None = None) -> dict[str, Any]:
        wanted = None if associations is None else {"associations": associations}
        body: dict[str, Any] = await self._connection.read(f"{_NOUN[kind]}.read", _path(kind, account_id), wanted)
        return body

    async def _deposits(self, account: CustomerAccount, amount: Money, paid_on: date) -> list[RecordedPayment]:
        try:
            return await self._search_deposits(account, amount, paid_on)
        except NotFound:
            pass
        except Transient as error:
            if error.code != Unreadable.default_code:
                raise
        # Old servers lack this search; the account with everything on it is longer and says the same.
        body = await self._details("savings", account.account_id, "transactions")
        return payments_of(account_of("savings", body), body.get("transactions") or [])

    async def _search_deposits(self, account: CustomerAccount, amount: Money, paid_on: date) -> list[RecordedPayment]:
        wanted = {
            "fromDate": spell_date(paid_on - NEAR),
            "toDate": spell_date(max(paid_on, utc_now().date()) + NEAR),
            "fromAmount": spell_amount(amount),
            "toAmount": spell_amount(amount),
            "types": "1",
            "credit": "true",
            "dateFormat": DATE_FORMAT,
            "locale": LOCALE,
            "limit": _PAGE,
        }
        path = f"{_path('savings', account.account_id)}/transactions/search"
        found: list[RecordedPayment] = []
        for page in range(_MOST_PAGES):
            body = await self._connection.read("savings.deposits", path, wanted | {"offset": page * _PAGE})
            items = body.get("content") if isinstance(body, dict) else None
            if not isinstance(items, list):
                raise Unreadable("Fineract's answer is not a page of transactions.")
            found += payments_of(account, items)
            if len(items) < _PAGE:
                return found
        raise Unreadable("Fineract's list of deposits has no end.")


_NOUN: Final[dict[AccountKind, str]] = {"loan": "loans", "savings": "savings"}


def plausible(number: str) -> str | None:
    """What a customer typed, if it can be an account's number or external id; None for wildcards, blanks and the rest."""
    wanted = number.strip()
    if not 0 < len(wanted) <= _LONGEST_NUMBER or not wanted.isprintable():
        return None
    return None if any(char.isspace() or char in _WILDCARDS for char in wanted) else wanted


def _path(kind: AccountKind, account_id: int) -> str:
    return f"/v1/{'loans' if kind == 'loan' else 'savingsaccounts'}/{account_id}"
