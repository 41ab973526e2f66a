"""NCBA's statement, and what it proves about an instruction of ours (bank_ncba.md 1 and 6). Pure.

There is no status query that works, so a debit line that holds our reference is the proof that money left. Its absence
proves nothing: a line may come late.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from core.errors import Transient
from core.money import EXPONENTS, Money
from core.texts import clean
from models.messages.saga.reports import Report, ReportState
from providers.banking import BankEntry, Inquiry, Statement
from providers.collecting import OddRow
from providers.facts import NARRATIVE_LENGTH, amount_of, receipt_of, row_id
from providers.ncba.codes import text_of, transaction_id_in

NAIROBI: Final = ZoneInfo("Africa/Nairobi")

_ID_FIELDS: Final = ("InstrumentReferenceNumber", "CreditReference", "AdditionalReference")
_TEXT_FIELDS: Final = (*_ID_FIELDS, "Narrative", "PaymentDetails")


@dataclass(frozen=True, slots=True)
class Line:
    """A statement line and every text in which a reference may stand."""

    entry: BankEntry
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """A statement as it was read; `unreadable` beside what it says in any of its texts."""

    lines: list[Line]
    unreadable: list[tuple[OddRow, tuple[str, ...]]]

    @property
    def statement(self) -> Statement:
        return Statement([line.entry for line in self.lines], [row for row, _ in self.unreadable])


def parse_statement(body: object, account: str) -> Lines:
    """The lines, in the bank's order; one that cannot be read hides none of the others. Raises Transient if there is no
    list of rows at all."""
    rows = _rows(body)
    if rows is None:
        raise Transient("NCBA's statement cannot be read.", code="garbled_read")
    found = Lines([], [])
    for row in rows:
        fields: Mapping[str, Any] = row if isinstance(row, dict) else {"row": row}
        line = _line(fields, account)
        if isinstance(line, Line):
            found.lines.append(line)
        else:
            texts = tuple(text for value in fields.values() if (text := text_of(value)))
            found.unreadable.append((OddRow(row_id(fields), "unreadable", line), texts))
    return found


def verdict(found: Lines, inquiry: Inquiry) -> Report:
    """`paid` for one debit that holds the reference as a whole word and is of the very amount; `unclear` if it was
    credited back, is there twice, or stands on a line that cannot be read; else `pending` with code "not_found"."""
    ours = [
        line.entry
        for line in found.lines
        if line.entry.amount == inquiry.amount and any(holds(text, inquiry.reference) for text in line.texts)
    ]
    debits = [entry for entry in ours if entry.direction == "debit"]
    torn = any(holds(text, inquiry.reference) for _, texts in found.unreadable for text in texts)
    if torn:
        return Report(
            source="query",
            state="unclear",
            code="unreadable_line",
            detail="a statement line that cannot be read names it",
            reference=inquiry.reference,
        )
    if not debits:
        return Report(
            source="query",
            state="pending",
            code="not_found",
            detail="no statement line shows it yet",
            reference=inquiry.reference,
        )
    first = debits[0]
    state: ReportState = "paid"
    code, detail = "statement", "a statement line shows the debit"
    if len(ours) > len(debits):
        state, code, detail = "unclear", "credited_back", "the statement shows a debit and a credit of it"
    elif len({entry.bank_transaction_id for entry in debits}) > 1:
        state, code, detail = "unclear", "debited_twice", "the statement shows more than one debit of it"
    return Report(
        source="query",
        state=state,
        code=code,
        detail=detail,
        reference=inquiry.reference,
        provider_reference=first.bank_transaction_id or None,
        receipt=(first.bank_transaction_id or inquiry.reference) if state == "paid" else None,
        amount=first.amount,
        happened_at=first.value_time,
    )


def holds(text: str, reference: str) -> bool:
    """As a whole word and in any case: `…-a1` is not in `…-a12`, and core-banking systems like capitals."""
    pattern = rf"(?<![0-9A-Za-z_-]){re.escape(reference)}(?![0-9A-Za-z_-])"
    return re.search(pattern, text, re.IGNORECASE) is not None


def _rows(body: object) -> list[Any] | None:
    """The list of rows, wherever the answer keeps it: its place is published nowhere."""
    places = [body]
    for _ in range(3):
        for place in places:
            if isinstance(place, list):
                return place
        places = [inner for place in places if isinstance(place, dict) for inner in place.values()]
    return None


def _line(row: Mapping[str, Any], account: str) -> Line | str:
    """The line, or why it cannot be read."""
    currency = clean(text_of(row.get("TransactionCurrency")), 10) or "KES"
    texts = tuple(text for name in _TEXT_FIELDS if (text := text_of(row.get(name))))
    # Without an id in the known form the instrument's reference stands in; without that a person has to match the line.
    known = (transaction_id_in(text_of(row.get(name))) for name in _ID_FIELDS)
    transaction_id = next((found for found in known if found), receipt_of(text_of(row.get(_ID_FIELDS[0]))) or "")
    shown = transaction_id or "a line"
    if currency not in EXPONENTS:
        return f"{shown} is in a currency that is not known: {currency}"
    try:
        day = datetime.strptime(text_of(row.get("ValueDate"))[:40], "%d%m%Y").replace(tzinfo=NAIROBI)
    except ValueError:
        return f"{shown} has no day that can be read"
    moved = _movement(row, currency)
    if moved is None:
        return f"{shown} has no amount that can be read"
    direction, amount = moved
    entry = BankEntry(
        bank_transaction_id=transaction_id,
        account=account,
        direction=direction,
        amount=amount,
        narration=clean(text_of(row.get("Narrative")) or text_of(row.get("PaymentDetails")), NARRATIVE_LENGTH),
        value_time=day.astimezone(UTC),
        balance=amount_of("".join(text_of(row.get("RunningBalance")).split()), currency, bounded=False),
    )
    return Line(entry, texts)


def _movement(row: Mapping[str, Any], currency: str) -> tuple[Literal["credit", "debit"], Money] | None:
    """By the flag (its exact letters are not published) and by which amount is there; the two must agree."""
    flag = text_of(row.get("CreditDebitFlag")).upper()[:1]
    debit, credit = _amount(row, "DebitAmount", currency), _amount(row, "CreditAmount", currency)
    if debit is None or credit is None:
        return None
    if debit.minor and not credit.minor and flag in ("D", ""):
        return "debit", debit
    if credit.minor and not debit.minor and flag in ("C", ""):
        return "credit", credit
    return None


def _amount(row: Mapping[str, Any], name: str, currency: str) -> Money | None:
    """Without its sign; zero where it is missing, None where it cannot be read."""
    value = row.get(name)
    if isinstance(value, Decimal):
        value = f"{value:f}" if value.adjusted() < 30 and value.is_finite() else "?"
    found = amount_of("".join(text_of(value).split()) or "0", currency)
    return Money(abs(found.minor), currency) if found else None


def nairobi_day(moment: datetime) -> date:
    return moment.astimezone(NAIROBI).date()
