"""Daraja's wire in one place: what we send, what it answers, and what its callbacks say (daraja.md part 1). Pure.

Callbacks carry no signature and come once, twice, early, late or never. The parsers here only read them; whether one is
believed is decided by whoever knows the attempt (URL token, reference, amount, party). Every parser takes the decoded
JSON body and raises Garbled for one that is not the protocol's.

A `reference` in a result is the OriginatorConversationID: ours on B2C v3, Daraja's own on v1, where only the callback's
URL knows our reference.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.errors import Garbled, InvalidRequest, NotAllowed, Transient
from core.money import Money
from providers.daraja.gateway import Ack, parse_ack, text_of
from providers.daraja.inbox import CALLBACK_REPLY, external_id, scrub
from providers.daraja.requests import (
    DarajaCredentials,
    b2c_request,
    balance_request,
    security_credential,
    status_request,
)
from providers.daraja.result_codes import RESULT_CODES, ResultMeaning, meaning_of
from providers.ports import PayoutResult, PayoutState

__all__ = [
    "CALLBACK_REPLY", "RESULT_CODES", "Ack", "DarajaCredentials", "ResultMeaning", "b2c_request", "balance_request",
    "external_id", "meaning_of", "parse_ack", "parse_balance_result", "parse_result", "parse_status_result",
    "parse_timeout_notice", "scrub", "security_credential", "status_request",
]  # fmt: skip

_NAIROBI: Final = ZoneInfo("Africa/Nairobi")
_STATUS: Final = {
    "completed": PayoutState.paid,
    "cancelled": PayoutState.failed,
    "declined": PayoutState.failed,
    "expired": PayoutState.failed,
    "initiated": PayoutState.pending,
    "authorized": PayoutState.pending,
    "pendingauthorized": PayoutState.pending,
}
_FUNDS: Final = {
    "B2CUtilityAccountAvailableFunds": "Utility Account",
    "B2CWorkingAccountAvailableFunds": "Working Account",
    "B2CChargesPaidAccountAvailableFunds": "Charges Paid Account",
}
_LEADING_PHONE = re.compile(r"\s*\+?(\d{9,15})\b")
_FLAT_KEYS: Final = ("OriginatorConversationID", "CommandID", "PartyB")


def parse_result(body: object) -> PayoutResult:
    """A payout's own Result (daraja.md 3.4, 3.5). `failed` only by a code that is known to mean "no money moved"."""
    result = _result(body)
    code = _code(result)
    meaning = meaning_of(code)
    found = _Parameters(result)
    state = PayoutState.unclear
    receipt: str | None = None
    if not _is_final(result):
        state = PayoutState.pending
    elif meaning.moved:
        # The envelope's TransactionID is filled on failures too, so it counts beside a success only.
        receipt = found.text("TransactionReceipt") or text_of(result.get("TransactionID")) or None
        state = PayoutState.paid if receipt else PayoutState.unclear
    elif meaning.moved is False:
        state = PayoutState.failed
    funds = {account: found.money(key) for key, account in _FUNDS.items()}
    return PayoutResult(
        state=state,
        code=code,
        detail=meaning.text,
        reference=text_of(result.get("OriginatorConversationID")) or None,
        provider_reference=text_of(result.get("ConversationID")) or None,
        receipt=receipt,
        amount=found.money("TransactionAmount"),
        party_digits=found.phone("ReceiverPartyPublicName"),
        happened_at=found.moment("TransactionCompletedDateTime"),
        retriable=state is PayoutState.failed and meaning.retriable,
        operator_needed=meaning.operator_needed,
        balances={account: money for account, money in funds.items() if money is not None},
    )


def parse_timeout_notice(body: object) -> PayoutResult:
    """The QueueTimeOutURL notice: our request echoed flat, or a Result envelope (daraja.md 3.6). Always unclear."""
    detail = "the request expired in M-Pesa's queue; it may still be executed"
    if isinstance(body, dict) and isinstance(body.get("Result"), dict):
        fields = body["Result"]
        if not any(text_of(fields.get(key)) for key in ("OriginatorConversationID", "ConversationID", "ResultCode")):
            raise _garbled("timeout notice")
    elif isinstance(body, dict) and any(text_of(body.get(key)) for key in _FLAT_KEYS):
        fields = body
    else:
        raise _garbled("timeout notice")
    return PayoutResult(
        state=PayoutState.unclear,
        code="timeout",
        detail=detail,
        reference=text_of(fields.get("OriginatorConversationID")) or None,
        provider_reference=text_of(fields.get("ConversationID")) or None,
        amount=_money(fields.get("Amount")),
        party_digits=_phone(fields.get("PartyB")),
    )


def parse_status_result(body: object) -> PayoutResult:
    """The answer to a status query (daraja.md 7). The verdict is TransactionStatus; envelope code 0 only means that
    the query worked, and a failed query proves nothing. `reference` comes from the parameters alone, since the
    envelope's id is the query's own. `code` is the TransactionStatus, or the query's result code if it failed."""
    result = _result(body)
    code = _code(result)
    meaning = meaning_of(code)
    found = _Parameters(result)
    if code != "0" or not _is_final(result):
        detail = f"the status query failed: {meaning.text}" if code != "0" else "the status query is still under way"
        return PayoutResult(PayoutState.unclear, code, detail, operator_needed=meaning.operator_needed)
    verdict = found.text("TransactionStatus")
    state = _STATUS.get(verdict.replace(" ", "").replace("_", "").lower(), PayoutState.unclear)
    receipt = found.text("ReceiptNo") or None
    if state is PayoutState.paid and receipt is None:
        state = PayoutState.unclear
    return PayoutResult(
        state=state,
        code=verdict or code,
        detail=f"M-Pesa says that the transaction is {verdict.lower()}" if verdict else "M-Pesa gave no status",
        reference=found.text("OriginatorConversationID") or None,
        provider_reference=found.text("ConversationID") or None,
        receipt=receipt if state is PayoutState.paid else None,
        amount=found.money("Amount"),
        # The credit party is sometimes a second "DebitPartyName"; ours is a short code, so the phone is the receiver.
        party_digits=found.phone("CreditPartyName") or found.phone("DebitPartyName"),
        happened_at=found.moment("FinalisedTime"),
        retriable=state is PayoutState.failed and verdict.lower() == "expired",
    )


def parse_balance_result(body: object) -> dict[str, Money]:
    """The *available* balance (4th part) of each account by M-Pesa's name: "Utility Account" … (daraja.md 8).

    Raises NotAllowed if the initiator is refused, Transient if the query failed otherwise, Garbled if it is unreadable.
    """
    result = _result(body)
    code = _code(result)
    meaning = meaning_of(code)
    if code != "0":
        if meaning.operator_needed:
            raise NotAllowed(f"The balance query was refused: {meaning.text}.", provider_code=code[:40])
        raise Transient("The balance query failed at M-Pesa.", code="query_failed", provider_code=code[:40])
    balances: dict[str, Money] = {}
    for account in _Parameters(result).text("AccountBalance").split("&"):
        parts = account.split("|")
        money = _money(parts[3], parts[1].strip()) if len(parts) >= 4 else None
        if money is None or not parts[0].strip():
            raise _garbled("balance result")
        balances[parts[0].strip()] = money
    return balances


class _Parameters:
    """ResultParameter, read by key: a list in any order with repeats and missing Values, one object, or absent."""

    def __init__(self, result: dict[str, Any]) -> None:
        holder = result.get("ResultParameters")
        items = holder.get("ResultParameter") if isinstance(holder, dict) else None
        self._items = [item for item in (items if isinstance(items, list) else [items]) if isinstance(item, dict)]

    def values(self, key: str) -> Iterator[Any]:
        return (item.get("Value") for item in self._items if item.get("Key") == key)

    def text(self, key: str) -> str:
        """The first value that is not empty."""
        return next((text for text in map(text_of, self.values(key)) if text), "")

    def money(self, key: str) -> Money | None:
        return _money(self.text(key))

    def phone(self, key: str) -> str | None:
        return next((digits for digits in map(_phone, self.values(key)) if digits), None)

    def moment(self, key: str) -> datetime | None:
        """Zone-less Nairobi time, "21.11.2026 09:14:03" or 20261121091403, as UTC."""
        for form in ("%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S"):
            try:
                return datetime.strptime(self.text(key), form).replace(tzinfo=_NAIROBI).astimezone(UTC)
            except ValueError:
                continue
        return None


def _result(body: object) -> dict[str, Any]:
    result = body.get("Result") if isinstance(body, dict) else None
    if not isinstance(result, dict):
        raise _garbled("result")
    return result


def _code(result: dict[str, Any]) -> str:
    """A number, a numeric text or letters and digits; always text to us (daraja.md, fact 9)."""
    code = text_of(result.get("ResultCode"))
    if not code:
        raise _garbled("result")
    return code[:40]


def _is_final(result: dict[str, Any]) -> bool:
    # 1: more messages follow (daraja.md 3.5). It is left out by some; only a clear 0 or its absence is final.
    return text_of(result.get("ResultType")) in ("0", "")


def _money(value: Any, currency: str = "KES") -> Money | None:
    """None if it is absent or no exact amount. Floats come from plain JSON decoding and are read by their text."""
    text = text_of(value)
    try:
        return Money.parse(Decimal(text), currency) if text else None
    except (ArithmeticError, InvalidRequest):
        return None


def _phone(value: Any) -> str | None:
    """The digits before the name in "254712345678 - WANJIRU ACHIENG". Short codes are too short to be one."""
    match = _LEADING_PHONE.match(text_of(value))
    return match.group(1) if match else None


def _garbled(what: str) -> Garbled:
    return Garbled(f"This is not a Daraja {what}.")
