"""Daraja's wire in one place: what we send, what it answers, and what its callbacks say (daraja.md 3, 7, 8). Pure.

Callbacks carry no signature and come once, twice, early, late or never. The parsers here only read them; whether one is
believed is decided by whoever knows the attempt (URL token, reference, amount, party). Every parser takes the decoded
JSON body and raises Garbled for one that is not the protocol's.

A `reference` in a result is the OriginatorConversationID: ours on B2C v3, Daraja's own on v1, where only the callback's
URL knows our reference.
"""

from typing import Final

from core.errors import NotAllowed, Transient
from core.money import Money
from core.texts import clean
from models.messages.saga.reports import Report, ReportState
from providers.daraja.c2b import C2B_CONFIRMED, C2bRefusal, c2b_accept, c2b_reject, parse_c2b
from providers.daraja.fields import Fields
from providers.daraja.gateway import Ack, parse_ack
from providers.daraja.inbox import CALLBACK_REPLY, external_id, scrub
from providers.daraja.reading import (
    Parameters,
    accounts_of,
    code_of,
    garbled,
    id_of,
    is_final,
    leading_phone,
    money_of,
    receipt_in,
    result_of,
)
from providers.daraja.requests import (
    DarajaCredentials,
    b2c_request,
    balance_request,
    security_credential,
    status_request,
)
from providers.daraja.result_codes import RESULT_CODES, ResultMeaning, meaning_of
from providers.daraja.reversal import ReversalOrder, parse_reversal_result
from providers.daraja.stk import STK_FAILURES, parse_stk_callback
from providers.facts import UNFIT_RECEIPT, unfit_receipt

__all__ = [
    "C2B_CONFIRMED", "CALLBACK_REPLY", "RESULT_CODES", "STK_FAILURES", "Ack", "C2bRefusal", "DarajaCredentials",
    "ResultMeaning", "ReversalOrder", "b2c_request", "balance_request", "balances_beside", "c2b_accept", "c2b_reject",
    "external_id", "meaning_of", "parse_ack", "parse_balance_result", "parse_c2b", "parse_result", "parse_reversal_result",
    "parse_status_result", "parse_stk_callback", "parse_timeout_notice", "scrub", "security_credential",
    "status_request",
]  # fmt: skip

_STATUS: Final[dict[str, ReportState]] = {
    "completed": "paid",
    "cancelled": "failed",
    "declined": "failed",
    "expired": "failed",
    "initiated": "pending",
    "authorized": "pending",
    "pendingauthorized": "pending",
}
_FUNDS: Final = {
    "B2CUtilityAccountAvailableFunds": "Utility Account",
    "B2CWorkingAccountAvailableFunds": "Working Account",
    "B2CChargesPaidAccountAvailableFunds": "Charges Paid Account",
}
_FLAT_KEYS: Final = ("OriginatorConversationID", "CommandID", "PartyB")


def parse_result(body: object) -> Report:
    """A payout's own Result (daraja.md 3.4, 3.5). `failed` only by a code that is known to mean "no money moved"; a success
    whose receipt cannot be booked is `unclear`, code "unfit_receipt"."""
    result = result_of(body)
    code = code_of(result)
    meaning = meaning_of(code)
    found = Parameters(result)
    state: ReportState = "unclear"
    detail = meaning.text
    receipt: str | None = None
    if not is_final(result):
        state = "pending"
    elif meaning.moved:
        # The envelope's TransactionID is filled on failures too, so it counts beside a success only.
        given = found.text("TransactionReceipt") or result.text("TransactionID")
        receipt = receipt_in(given)
        state = "paid" if receipt else "unclear"
        if given and not receipt:
            code, detail = UNFIT_RECEIPT, unfit_receipt(given)
    elif meaning.moved is False:
        state = "failed"
    return Report(
        source="callback",
        state=state,
        code=code,
        detail=detail,
        reference=id_of(result, "OriginatorConversationID"),
        provider_reference=id_of(result, "ConversationID"),
        receipt=receipt,
        amount=found.money("TransactionAmount"),
        party_digits=found.phone("ReceiverPartyPublicName"),
        happened_at=found.moment("TransactionCompletedDateTime"),
        retriable=state == "failed" and meaning.retriable,
        operator_needed=meaning.operator_needed,
    )


def parse_timeout_notice(body: object) -> Report:
    """The QueueTimeOutURL notice: our request echoed flat, or a Result envelope (daraja.md 3.6). Always unclear."""
    detail = "the request expired in M-Pesa's queue; it may still be executed"
    fields = Fields(body)
    if envelope := fields.within("Result"):
        fields, keys = envelope, ("OriginatorConversationID", "ConversationID", "ResultCode")
    else:
        keys = _FLAT_KEYS
    if not any(fields.text(key) for key in keys):
        raise garbled("timeout notice")
    return Report(
        source="timeout_notice",
        state="unclear",
        code="timeout",
        detail=detail,
        reference=id_of(fields, "OriginatorConversationID"),
        provider_reference=id_of(fields, "ConversationID"),
        amount=money_of(fields.get("Amount")),
        party_digits=leading_phone(fields.get("PartyB")),
    )


def parse_status_result(body: object) -> Report:
    """The answer to a status query (daraja.md 7). The verdict is TransactionStatus; envelope code 0 only means that
    the query worked, and a failed query proves nothing. `reference` comes from the parameters alone, since the
    envelope's id is the query's own. `code` is the TransactionStatus, or the query's result code if it failed."""
    result = result_of(body)
    code = code_of(result)
    meaning = meaning_of(code)
    found = Parameters(result)
    if code != "0" or not is_final(result):
        detail = f"the status query failed: {meaning.text}" if code != "0" else "the status query is still under way"
        return Report(
            source="query", state="unclear", code=code, detail=detail, operator_needed=meaning.operator_needed
        )
    verdict = clean(found.text("TransactionStatus"), 40)
    state = _STATUS.get(verdict.replace(" ", "").replace("_", "").lower(), "unclear")
    detail = f"M-Pesa says that the transaction is {verdict.lower()}" if verdict else "M-Pesa gave no status"
    code = verdict or code
    given = found.text("ReceiptNo")
    receipt = receipt_in(given)
    if state == "paid" and receipt is None:
        state = "unclear"
        if given:
            code, detail = UNFIT_RECEIPT, unfit_receipt(given)
    return Report(
        source="query",
        state=state,
        code=code,
        detail=detail,
        reference=found.id("OriginatorConversationID"),
        provider_reference=found.id("ConversationID"),
        receipt=receipt if state == "paid" else None,
        amount=found.money("Amount"),
        # The credit party is sometimes a second "DebitPartyName"; ours is a short code, so the phone is the receiver.
        party_digits=found.phone("CreditPartyName") or found.phone("DebitPartyName"),
        happened_at=found.moment("FinalisedTime"),
        retriable=state == "failed" and verdict.lower() == "expired",
    )


def balances_beside(body: object) -> dict[str, Money]:
    """What a Result of a payout or of a reversal tells of our accounts beside its verdict, by M-Pesa's names; empty where
    it tells nothing."""
    found = Parameters(Fields(body).within("Result"))
    funds = {account: found.money(key) for key, account in _FUNDS.items()}
    debited = accounts_of(found.text("DebitAccountBalance")) or {}
    return {**debited, **{account: money for account, money in funds.items() if money is not None}}


def parse_balance_result(body: object) -> dict[str, Money]:
    """The *available* balance (4th part) of each account by M-Pesa's name: "Utility Account" … (daraja.md 8).

    Raises NotAllowed if the initiator is refused, Transient if the query failed otherwise, Garbled if it is unreadable.
    """
    result = result_of(body)
    code = code_of(result)
    meaning = meaning_of(code)
    if code != "0":
        if meaning.operator_needed:
            raise NotAllowed(f"The balance query was refused: {meaning.text}.", provider_code=code[:40])
        raise Transient("The balance query failed at M-Pesa.", code="query_failed", provider_code=code[:40])
    balances = accounts_of(Parameters(result).text("AccountBalance"))
    if balances is None:
        raise garbled("balance result")
    return balances
