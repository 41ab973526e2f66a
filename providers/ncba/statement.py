"""NCBA's statement, and what it proves about an instruction of ours (bank_ncba.md 1 and 6). Pure.

There is no status query that works, so a debit line that holds our reference is the proof that money left. Its absence
proves nothing: a line may come late.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from core.errors import InvalidRequest, Transient
from core.money import Money
from providers.banking import BankEntry, Inquiry
from providers.ncba.codes import text_of, transaction_id_in
from providers.ports import PayoutResult, PayoutState

NAIROBI: Final = ZoneInfo("Africa/Nairobi")

_ID_FIELDS: Final = ("InstrumentReferenceNumber", "CreditReference", "AdditionalReference")
_TEXT_FIELDS: Final = (*_ID_FIELDS, "Narrative", "PaymentDetails")


@dataclass(frozen=True, slots=True)
class Line:
    """A statement line and every text in which a reference may stand."""

    entry: BankEntry
    texts: tuple[str, ...]


def parse_statement(body: object, account: str) -> list[Line]:
    """The lines, in the bank's order. Raises Transient if there is no list of rows or one row cannot be read: half a
    statement would hide money."""
    rows = _rows(body)
    if rows is None:
        raise _garbled()
    return [_line(row, account) for row in rows]


def verdict(lines: list[Line], inquiry: Inquiry) -> PayoutResult:
    """`paid` for one debit that holds the reference as a whole word and is of the very amount; `unclear` if it was
    credited back or is there twice; else `pending` with code "not_found"."""
    ours = [
        line.entry
        for line in lines
        if line.entry.amount == inquiry.amount and any(holds(text, inquiry.reference) for text in line.texts)
    ]
    debits = [entry for entry in ours if entry.direction == "debit"]
    if not debits:
        return PayoutResult(
            PayoutState.pending, "not_found", "no statement line shows it yet", reference=inquiry.reference
        )
    first = debits[0]
    state, code, detail = PayoutState.paid, "statement", "a statement line shows the debit"
    if len(ours) > len(debits):
        state, code, detail = PayoutState.unclear, "credited_back", "the statement shows a debit and a credit of it"
    elif len({entry.bank_transaction_id for entry in debits}) > 1:
        state, code, detail = PayoutState.unclear, "debited_twice", "the statement shows more than one debit of it"
    return PayoutResult(
        state,
        code,
        detail,
        reference=inquiry.reference,
        provider_reference=first.bank_transaction_id or None,
        receipt=(first.bank_transaction_id or inquiry.reference) if state is PayoutState.paid else None,
        amount=first.amount,
        happened_at=first.value_time,
    )


def holds(text: str, reference: str) -> bool:
    """As a whole word and in any case: `…-a1` is not in `…-a12`, and core-banking systems like capitals."""
    pattern = rf"(?<![0-9A-Za-z_-]){re.escape(reference)}(?![0-9A-Za-z_-])"
    return re.search(pattern, text, re.IGNORECASE) is not None


def _rows(body: object) -> list[Mapping[str, Any]] | None:
    """The list of rows, wherever the answer keeps it: its place is published nowhere."""
    places = [body]
    for _ in range(3):
        for place in places:
            if isinstance(place, list):
                return place if all(isinstance(row, dict) for row in place) else None
        places = [inner for place in places if isinstance(place, dict) for inner in place.values()]
    return None


def _line(row: Mapping[str, Any], account: str) -> Line:
    currency = text_of(row.get("TransactionCurrency")) or "KES"
    direction = _direction(row)
    texts = tuple(text for name in _TEXT_FIELDS if (text := text_of(row.get(name))))
    # Without an id in the known form the instrument's reference stands in; without that a person has to match the line.
    known = (transaction_id_in(text_of(row.get(name))) for name in _ID_FIELDS)
    transaction_id = next((found for found in known if found), text_of(row.get(_ID_FIELDS[0])))
    try:
        day = datetime.strptime(text_of(row.get("ValueDate")), "%d%m%Y").replace(tzinfo=NAIROBI)
        amount = Money.parse(_amount(row, "DebitAmount" if direction == "debit" else "CreditAmount"), currency)
    except (ValueError, InvalidOperation, InvalidRequest):
        raise _garbled() from None
    entry = BankEntry(
        bank_transaction_id=transaction_id,
        account=account,
        direction=direction,
        amount=amount,
        narration=text_of(row.get("Narrative")) or text_of(row.get("PaymentDetails")),
        value_time=day.astimezone(UTC),
    )
    return Line(entry, texts)


def _direction(row: Mapping[str, Any]) -> Literal["credit", "debit"]:
    """By the flag (its exact letters are not published) and by which amount is there; the two must agree."""
    flag = text_of(row.get("CreditDebitFlag")).upper()[:1]
    try:
        debit, credit = _amount(row, "DebitAmount"), _amount(row, "CreditAmount")
    except InvalidOperation:
        raise _garbled() from None
    if debit and not credit and flag in ("D", ""):
        return "debit"
    if credit and not debit and flag in ("C", ""):
        return "credit"
    raise _garbled()


def _amount(row: Mapping[str, Any], name: str) -> Decimal:
    """Without sign and thousands' commas; 0 where it is missing."""
    return abs(Decimal(text_of(row.get(name)).replace(",", "") or 0))


def _garbled() -> Transient:
    return Transient("NCBA's statement cannot be read.", code="garbled_read")


def nairobi_day(moment: datetime) -> date:
    return moment.astimezone(NAIROBI).date()
