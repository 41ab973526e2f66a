"""The reference bank over HTTP: Kivuko's own bank protocol (bank_ncba.md 6), which a bank or an adapter can implement whole.

The client reference is the idempotency key: the same instruction twice is executed once, so a doubtful answer is resolved
by asking, and may be resolved by sending the very same again.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, Self

from core.errors import InvalidRequest, KivukoError, NotAllowed, Rejected, Throttled, Transient, Unknown
from core.money import Money
from core.texts import clean
from models.messages.saga.reports import Report
from providers.banking import (
    BankCapabilities,
    BankEntry,
    BankPort,
    FloatOrder,
    Inquiry,
    Statement,
    TransferOrder,
)
from providers.collecting import OddRow, PromptOrder, PromptQuery
from providers.facts import NARRATIVE_LENGTH, amount_of, receipt_of, row_id, unfit_receipt
from providers.held import held
from providers.http import Answer, Effect, ProviderHttp, unreadable
from providers.ports import Accepted, Endpoint, Exchange, ExchangeRecorder, forget_exchange
from providers.reference_bank.requests import (
    FLOATS_PATH,
    REJECTIONS,
    TRANSFERS_PATH,
    ReferenceBankCredentials,
    entries_path,
    float_body,
    inquiry_path,
    transfer_body,
)
from providers.reference_bank.wire import failed_report, id_of, moment_of, settled_report, text_of

_STATES: Final = frozenset({"ACCEPTED", "SETTLED", "REJECTED", "REVERSED"})
_DIRECTIONS: Final[dict[str, Literal["credit", "debit"]]] = {"CREDIT": "credit", "DEBIT": "debit"}
_MAX_PAGES: Final = 1_000


class ReferenceBank(BankPort):
    """One customer of the reference bank. Close it."""

    capabilities = BankCapabilities(
        status_query=True,
        async_callback=True,
        sync_final=frozenset(),
        duplicate_safe=True,
        float_operators=frozenset({"mpesa", "airtel", "mtn"}),
        prompts_payers=False,
    )

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: ReferenceBankCredentials,
        *,
        recorder: ExchangeRecorder = forget_exchange,
    ) -> None:
        async def record(exchange: Exchange) -> None:
            await recorder(replace(exchange, request=_nameless(exchange.request)))

        self._http = ProviderHttp("reference_bank", endpoint, recorder=record)
        self._credentials = credentials

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.close()

    async def transfer(self, order: TransferOrder) -> Accepted:
        """Hands over a transfer; the outcome comes as a webhook or by `find`. Raises:
        - InsufficientFunds, NotFound, LimitExceeded, InvalidRequest: refused (`provider_code`), or refused here.
        - Throttled, NotReached, Busy: the bank took nothing; with `operator_needed` it refuses our token.
        - Unknown: no answer, none of the protocol, or "reference_conflict": another instruction was taken under this
          reference, and may have been executed.
        """
        return await self._submit("transfer", TRANSFERS_PATH, order, transfer_body(order))

    async def buy_float(self, order: FloatOrder) -> Accepted:
        """As `transfer`. The protocol carries no narration for float; the reference alone shows it again."""
        return await self._submit("float", FLOATS_PATH, order, float_body(order))

    async def find(self, inquiry: Inquiry) -> Report:
        """The state by our reference. REVERSED is `failed` with code "reversed"; a 404 is `pending`, "not_found"."""
        answer = await self._call("find", "GET", inquiry_path(inquiry.what, inquiry.reference), "read")
        body, code = answer.object, text_of(answer.object.get("code"))
        if answer.status == 404 and code == "NOT_FOUND":
            unknown = "the bank does not know the reference"
            return Report(
                source="query", state="pending", code="not_found", detail=unknown, reference=inquiry.reference
            )
        state, bank_reference = text_of(body.get("state")), text_of(body.get("bank_reference"))
        if answer.status != 200 or state not in _STATES or not bank_reference:
            raise unreadable("reference_bank", "find", answer, "read")
        if state == "ACCEPTED":
            return Report(
                source="query",
                state="pending",
                code="accepted",
                detail="the bank works on it",
                reference=inquiry.reference,
                provider_reference=bank_reference,
            )
        settled_at = moment_of(body.get("settled_at"))
        if state == "SETTLED":
            return settled_report("query", inquiry.reference, bank_reference, happened_at=settled_at)
        reason = "reversed" if state == "REVERSED" else text_of(body.get("reason"))
        return failed_report("query", inquiry.reference, bank_reference, reason, happened_at=settled_at)

    async def statement(self, account: str, start: date, end: date) -> Statement:
        """All entries from `start` to `end`, both days included, oldest first, over as many pages as there are."""
        path, found, cursor = entries_path(account), Statement([], []), ""
        for _ in range(_MAX_PAGES):
            # Narrations name people: kept out of the log by `secret_answer`.
            params = {"from": start.isoformat(), "to": end.isoformat(), **({"cursor": cursor} if cursor else {})}
            answer = await self._call("statement", "GET", path, "read", params=params, secret_answer=True)
            rows = answer.object.get("entries")
            if answer.status != 200 or not isinstance(rows, list):
                raise unreadable("reference_bank", "statement", answer, "read")
            for row in rows:
                entry = _entry(row if isinstance(row, dict) else {"row": row}, account)
                if isinstance(entry, BankEntry):
                    found.entries.append(entry)
                else:
                    found.unreadable.append(entry)
            following = text_of(answer.object.get("next_cursor"))
            if not following:
                return found
            if following == cursor:
                break
            cursor = following
        raise Transient("The bank's statement does not end.", code="garbled_read")

    async def prompt(self, order: PromptOrder) -> Accepted:
        raise InvalidRequest("This bank cannot prompt payers.", code="unsupported")

    async def query_prompt(self, query: PromptQuery) -> Report:
        raise InvalidRequest("This bank cannot prompt payers.", code="unsupported")

    async def check(self) -> None:
        """Asks for a transfer that nobody made. Raises NotAllowed for a refused token, Transient otherwise."""
        answer = await self._call("check", "GET", inquiry_path("transfer", "check"), "read")
        if answer.status not in (200, 404) or not answer.object:
            raise unreadable("reference_bank", "check", answer, "read")

    async def _submit(
        self, operation: str, path: str, order: TransferOrder | FloatOrder, body: dict[str, Any]
    ) -> Accepted:
        reference = order.reference
        headers = {"Idempotency-Key": reference}
        answer = await self._call(
            operation,
            "POST",
            path,
            "money",
            json_body=body,
            headers=headers,
            reference=reference,
            not_after=order.send_by,
        )
        said, code = answer.object, text_of(answer.object.get("code"))[:40]
        facts = {"provider_code": code, "operation": operation}
        if answer.status in (200, 202):
            bank_reference = id_of(said.get("bank_reference"))
            known = text_of(said.get("state")) in _STATES and text_of(said.get("client_reference")) == reference
            if known and bank_reference:
                return Accepted(bank_reference)
        elif answer.status == 409 and code == "REFERENCE_CONFLICT":
            # Something was taken under our reference earlier; what became of it is not said here.
            raise Unknown("The bank holds another instruction of this reference.", code="reference_conflict", **facts)
        elif answer.status == 422 and code in REJECTIONS:
            words = {"UNSUPPORTED_OPERATOR": "unsupported_operator"}
            raise REJECTIONS[code](f"The bank refused the {operation} ({code}).", code=words.get(code), **facts)
        raise unreadable("reference_bank", operation, answer, "money")

    async def _call(
        self,
        operation: str,
        method: Literal["GET", "POST"],
        path: str,
        effect: Effect,
        *,
        json_body: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        reference: str | None = None,
        secret_answer: bool = False,
        not_after: datetime | None = None,
    ) -> Answer:
        answer = await self._http.call(
            operation,
            method,
            path,
            effect=effect,
            json_body=json_body,
            params=params,
            headers={**(headers or {}), "Authorization": f"Bearer {self._credentials.token}"},
            reference=reference,
            secret_answer=secret_answer,
            not_after=not_after,
        )
        if error := _refusal(operation, answer):
            raise held(error) if effect == "money" and isinstance(error, NotAllowed) else error
        return answer


def _refusal(operation: str, answer: Answer) -> KivukoError | None:
    """What the protocol says about the caller, not about the instruction: the bank took nothing."""
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        after = timedelta(seconds=int(wait)) if wait.isdecimal() and len(wait) < 6 else None
        return Throttled("The bank asks us to slow down.", retry_after=after, operation=operation)
    if answer.status in (401, 403) and text_of(answer.object.get("code")) in ("UNAUTHORIZED", "FORBIDDEN"):
        return NotAllowed("The bank refuses our token.", code="bad_credentials", operation=operation)
    if answer.status == 404 and not answer.text.strip() and operation not in ("transfer", "float"):
        return NotAllowed("The bank is not at this address.", code="wrong_address", operation=operation)
    return None


def _nameless(request: Any) -> Any:
    """The request as it is logged: without the name of the receiver, who may be a person."""
    if isinstance(request, dict) and isinstance(request.get("destination"), dict):
        return {**request, "destination": {**request["destination"], "name": "•••"}}
    return request


def _entry(fields: dict[str, Any], account: str) -> BankEntry | OddRow:
    direction = _DIRECTIONS.get(text_of(fields.get("direction")))
    given = text_of(fields.get("bank_transaction_id"))
    transaction_id, value_time = receipt_of(given), moment_of(fields.get("value_time"))
    try:
        amount = Money.parse(text_of(fields.get("amount")), text_of(fields.get("currency")))
    except Rejected:
        amount = None
    if transaction_id is None:
        return OddRow(row_id(fields), "unreadable", unfit_receipt(given))
    if amount is None or amount.minor <= 0 or value_time is None or direction is None:
        return OddRow(row_id(fields), "unreadable", f"{transaction_id} lacks an amount, a direction or a time")
    narration = clean(text_of(fields.get("narration")), NARRATIVE_LENGTH)
    balance = amount_of(text_of(fields.get("balance")), amount.currency, bounded=False)
    return BankEntry(transaction_id, account, direction, amount, narration, value_time, balance)
