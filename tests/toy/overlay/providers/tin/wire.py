"""What the tin says, as our own words. Pure.

A movement is told alike wherever it is told: `{id, reference, state, receipt, amount, currency, phone, at, reason}`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from core.bounded_json import Unreadable, read_json
from core.errors import Garbled
from core.msisdn import Msisdn
from models.messages.saga.reports import Report, ReportSource, ReportState
from providers.collecting import PaymentSeen
from providers.facts import NARRATIVE_LENGTH, UNFIT_RECEIPT, amount_of, receipt_of, unfit_receipt

STATES: Final[dict[str, ReportState]] = {"accepted": "pending", "paid": "paid", "failed": "failed"}


def body_of(raw: bytes) -> Mapping[str, Any]:
    """Raises Garbled for what is no JSON object."""
    try:
        body = read_json(raw)
    except Unreadable:
        body = None
    if not isinstance(body, dict):
        raise Garbled("A message of the tin is no JSON object.")
    return body


def report_of(body: Mapping[str, Any], source: ReportSource) -> Report:
    """What became of a payout or a prompt. Raises Garbled for a state that the tin does not have."""
    state, given = STATES.get(text_of(body.get("state"))), text_of(body.get("receipt"))
    if state is None:
        raise Garbled("The tin tells of no state that we know.")
    receipt = receipt_of(given)
    unfit = state == "paid" and receipt is None
    phone = Msisdn.read(text_of(body.get("phone")))
    return Report(
        source=source,
        state="unclear" if unfit else state,
        code=UNFIT_RECEIPT if unfit else text_of(body.get("reason")) or state,
        detail=unfit_receipt(given) if unfit else "",
        provider_reference=text_of(body.get("id")) or None,
        receipt=receipt,
        amount=amount_of(text_of(body.get("amount")), text_of(body.get("currency"))),
        party_digits=phone.digits if phone else None,
        happened_at=moment_of(body.get("at")),
    )


def payment_of(body: Mapping[str, Any], currency: str) -> PaymentSeen:
    """A payment that somebody made to an account: `{receipt, account, amount, currency, phone, text, at}`. Raises Garbled
    for one that lacks a fact; who paid is one of them, since money may have to go back."""
    receipt, phone = receipt_of(text_of(body.get("receipt"))), Msisdn.read(text_of(body.get("phone")))
    at, told = moment_of(body.get("at")), text_of(body.get("currency"))
    amount = amount_of(text_of(body.get("amount")), currency) if told == currency else None
    if receipt is None or phone is None or amount is None or amount.minor <= 0 or at is None:
        raise Garbled("The tin tells of a payment that lacks a fact.")
    return PaymentSeen(
        external_id=receipt,
        account=text_of(body.get("account")),
        amount=amount,
        reference=text_of(body.get("text"))[:NARRATIVE_LENGTH],
        happened_at=at,
        payer_phone=phone,
    )


def moment_of(value: Any) -> datetime | None:
    """ISO 8601 with a zone, as UTC."""
    try:
        moment = datetime.fromisoformat(text_of(value))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def text_of(value: Any) -> str:
    """The tin writes everything as text; anything else is nothing."""
    return value.strip() if isinstance(value, str) else ""
