"""NCBA over HTTP: transfers, float, statements and prompts, every answer sorted by what may have happened.

The status query is reported broken and the settlement callback was never seen (bank_ncba.md 0), so a doubtful instruction
is found again on the statement, or in the account push that `wire.parse_push` reads.
"""

from dataclasses import replace
from datetime import date, datetime
from typing import Self

from core.clock import utc_now
from core.errors import InvalidRequest, Rejected, Transient, Unknown
from core.texts import clean
from models.messages.saga.reports import Report, ReportState
from providers.banking import (
    BankCapabilities,
    BankPort,
    FloatOrder,
    Inquiry,
    Statement,
    TransferOrder,
)
from providers.collecting import PromptOrder, PromptQuery
from providers.facts import ID_LENGTH, UNFIT_RECEIPT, receipt_of, unfit_receipt
from providers.http import Answer, ProviderHttp, unreadable
from providers.ncba.codes import SUCCESS, accepted, text_of
from providers.ncba.gateway import (
    Session,
    open_banking_headers,
    open_banking_token,
    private_log,
    till_token,
)
from providers.ncba.requests import (
    FLOAT_PATH,
    STATEMENT_PATH,
    TILL_PROMPT_PATH,
    TILL_QUERY_PATH,
    TRANSFER_PATHS,
    NcbaCredentials,
    float_body,
    statement_body,
    till_prompt_body,
    transfer_body,
)
from providers.ncba.statement import Lines, nairobi_day, parse_statement, verdict
from providers.ports import Accepted, Endpoint, ExchangeRecorder, forget_exchange


class Ncba(BankPort):
    """NCBA Kenya for one customer. Close it. Share one object per connection: it keeps the tokens.

    Nothing is known of what a repeated reference does, so nothing is ever resent after a doubtful answer.
    """

    def __init__(
        self, endpoint: Endpoint, credentials: NcbaCredentials, *, recorder: ExchangeRecorder = forget_exchange
    ) -> None:
        self._credentials = credentials
        self.capabilities = BankCapabilities(
            status_query=False,
            async_callback=False,
            sync_final=frozenset({"internal", "pesalink"}),
            duplicate_safe=False,
            float_operators=frozenset({"mpesa"}),
            prompts_payers=credentials.has_till,
        )
        record = private_log(recorder)
        http = ProviderHttp("ncba", endpoint, recorder=record)
        self._bank = Session(http, open_banking_headers(credentials), lambda: open_banking_token(http, credentials))
        self._till: Session | None = None
        if credentials.till_base_url:
            till = ProviderHttp("ncba", replace(endpoint, base_url=credentials.till_base_url), recorder=record)
            agent = {"User-Agent": credentials.user_agent}
            self._till = Session(till, agent, lambda: till_token(till, credentials))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._bank.close()
        if self._till:
            await self._till.close()

    async def transfer(self, order: TransferOrder) -> Accepted:
        """Moves money within NCBA or by PesaLink; "000" is final for both (bank_ncba.md 1).

        The receipt is the bank's transaction id (FT…), or our own reference where the answer names none. Raises:
        - InvalidRequest, LimitExceeded: refused here; or, with `provider_code`, by a listed code of the bank's.
        - Throttled, Busy, NotReached, Transient: the product never saw it; with `operator_needed` our access is refused.
        - Unknown: a time-out, 5xx, no JSON, no result code, or one that is not listed. It may have been paid.
        """
        operation = f"transfer.{order.rail}"
        body = transfer_body(order, self._credentials)
        bank_id = await self._submit(
            operation, TRANSFER_PATHS[order.rail], body, "resultCode", order.reference, order.send_by
        )
        receipt = receipt_of(bank_id) if bank_id else order.reference
        report = Report(
            source="query",
            state="paid" if receipt else "unclear",
            code=SUCCESS if receipt else UNFIT_RECEIPT,
            detail="the bank says that the transfer is done" if receipt else unfit_receipt(bank_id or ""),
            reference=order.reference,
            provider_reference=bank_id,
            receipt=receipt,
            amount=order.amount,
        )
        return Accepted(bank_id, report)

    async def buy_float(self, order: FloatOrder) -> Accepted:
        """Buys M-Pesa float; "000" means taken, and the debit push or a statement line settles it. Raises as `transfer`
        and InvalidRequest ("unsupported_operator")."""
        body = float_body(order, self._credentials, nairobi_day(utc_now()))
        bank_id = await self._submit("float", FLOAT_PATH, body, "resErrorCode", order.reference, order.send_by)
        return Accepted(bank_id)

    async def find(self, inquiry: Inquiry) -> Report:
        """Scans the statement from the day of sending to today, in Nairobi. Never `failed`: absence proves nothing."""
        lines = await self._lines(inquiry.source.number, nairobi_day(inquiry.sent_at), nairobi_day(utc_now()))
        return verdict(lines, inquiry)

    async def statement(self, account: str, start: date, end: date) -> Statement:
        """`value_time` is midnight of the value date in Nairobi: NCBA gives no time. `bank_transaction_id` is "" where
        a line names none; such a line can only be matched by hand."""
        return (await self._lines(account, start, end)).statement

    async def prompt(self, order: PromptOrder) -> Accepted:
        """Prompts a payer by the Till API. Rejected with code "prompt_refused" for its StatusCode "1"."""
        till = self._require_till()
        body = till_prompt_body(order, self._credentials)
        answer = await till.call(
            "till.prompt", TILL_PROMPT_PATH, body, "money", reference=order.reference, not_after=order.send_by
        )
        code = text_of(answer.object.get("StatusCode"))
        transaction_id = clean(text_of(answer.object.get("TransactionID")), ID_LENGTH)
        if answer.status == 200 and code == "0" and transaction_id:
            return Accepted(transaction_id)
        if answer.status < 500 and code == "1":
            raise Rejected("NCBA refused to prompt the payer.", code="prompt_refused", provider_code=code)
        raise unreadable("ncba", "till.prompt", answer, "money")

    async def query_prompt(self, query: PromptQuery) -> Report:
        """FAILED may be told of a payment that is still in flight (bank_ncba.md 3): ask again, or wait for the push."""
        till = self._require_till()
        body = {"TransactionID": query.provider_reference}
        answer = await till.call("till.query", TILL_QUERY_PATH, body, "read", reference=query.reference)
        if answer.status >= 500:
            raise unreadable("ncba", "till.query", answer, "read")
        status = clean(text_of(answer.object.get("status")).upper(), 40)
        states: dict[str, ReportState] = {"SUCCESS": "paid", "FAILED": "failed"}
        said = f"NCBA says that the prompt is {status.lower()}" if status else "NCBA says nothing about the prompt"
        return Report(
            source="query",
            state=states.get(status, "pending") if answer.status == 200 else "pending",
            code=status or f"http_{answer.status}",
            detail=said,
            provider_reference=query.provider_reference,
        )

    async def check(self) -> None:
        """Mints a token of each API. Raises NotAllowed for refused credentials, Transient otherwise."""
        await self._bank.renew()
        if self._till:
            await self._till.renew()

    async def _submit(
        self,
        operation: str,
        path: str,
        body: dict[str, str],
        code_field: str,
        reference: str,
        send_by: datetime | None,
    ) -> str | None:
        answer = await self._bank.call(operation, path, body, "money", reference=reference, not_after=send_by)
        if not answer.object or not 200 <= answer.status < 300:
            return self._doubted(operation, answer, code_field)
        return accepted(operation, answer.object, code_field, self._credentials.rejection_codes)

    def _doubted(self, operation: str, answer: Answer, code_field: str) -> str | None:
        """A 4xx may carry a listed rejection; whatever else it says, and a 5xx always, leaves the outcome open."""
        if answer.object and 400 <= answer.status < 500:
            try:
                accepted(operation, answer.object, code_field, self._credentials.rejection_codes)
            except Rejected:
                raise
            except Unknown:
                pass
        raise unreadable("ncba", operation, answer, "money")

    async def _lines(self, account: str, start: date, end: date) -> Lines:
        body = statement_body(account, start, end, self._credentials)
        # Narratives hold names and phone numbers of people who have nothing to do with us: not for the log.
        answer = await self._bank.call("statement", STATEMENT_PATH, body, "read", secret_answer=True)
        if answer.status != 200:
            raise Transient(f"NCBA gave no statement (HTTP {answer.status}).", code="no_usable_answer")
        return parse_statement(answer.json, account)

    def _require_till(self) -> Session:
        if self._till is None:
            raise InvalidRequest("This connection has no Till API to prompt payers with.", code="unsupported")
        return self._till
