"""The two files that the missing-callback desk takes: references to ask about, and decisions with their evidence."""

import re
from dataclasses import dataclass
from typing import Final

from core.csv_files import BadFile, Line, Mistake, read_list, read_table

AT_MOST: Final = 1000
# Every reference has a digit: what has none is a title that nobody expected.
REFERENCE: Final = r"^[!-~]*[0-9][!-~]*$"
SHORTEST, LONGEST = 3, 100
RECEIPT: Final = r"^[A-Za-z0-9][A-Za-z0-9./_-]{2,39}$"  # banks put more than letters and digits into theirs
DECISIONS: Final = ("paid", "not_paid", "approve", "decline")
DECISION_COLUMNS: Final = ("reference", "decision", "receipt", "evidence")
# What a downloaded list of unknown outcomes says beside them, so that it can be filled in and sent back as it is.
FACT_COLUMNS: Final = (
    "provider_reference", "kind", "provider", "state", "amount", "currency", "to", "partner_id", "saga", "stage",
    "sent_at", "since", "case_id",
)  # fmt: skip

_A_REFERENCE: Final = "A reference is 3 to 100 visible characters without blanks, one of them a digit."
_TITLES: Final = frozenset(
    {
        "reference", "references", "conversation_id", "conversationid", "conversation id", "originator_conversation_id",
        "originatorconversationid", "originator conversation id", "provider_reference", "checkout_request_id",
        "checkoutrequestid",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decided:
    """One line of decisions. `reference` is ours or the provider's."""

    line: int
    reference: str
    decision: str
    receipt: str | None
    evidence: str


def is_reference(text: str) -> bool:
    return SHORTEST <= len(text) <= LONGEST and re.fullmatch(REFERENCE, text) is not None


def references(raw: bytes) -> list[Line]:
    """Lines with the cell "reference". Raises BadFile."""
    lines = read_list(raw, "reference", titles=_TITLES, at_most=AT_MOST)
    mistakes = [
        Mistake(line.number, None, "bad_reference", _A_REFERENCE)
        for line in lines
        if not is_reference(line.cells["reference"])
    ]
    if mistakes:
        raise BadFile(mistakes)
    return lines


def decisions(raw: bytes) -> list[Decided]:
    """One decision per reference. A decision that says too little or contradicts itself keeps the whole file out, since
    nothing may be guessed. Raises BadFile."""
    lines = read_table(raw, DECISION_COLUMNS, ignored=FACT_COLUMNS, at_most=AT_MOST)
    mistakes: list[Mistake] = []
    first: dict[str, int] = {}
    for line in lines:
        mistakes += _mistakes(line)
        reference = line.cells["reference"]
        if reference in first:
            rule = f"The reference stands on line {first[reference]} already; say one thing about it."
            mistakes.append(Mistake(line.number, "reference", "repeated", rule))
        first.setdefault(reference, line.number)
    if mistakes:
        raise BadFile(mistakes)
    return [
        Decided(
            line.number, line.cells["reference"], line.cells["decision"], line.cells["receipt"] or None,
            line.cells["evidence"],
        )
        for line in lines
    ]  # fmt: skip


def _mistakes(line: Line) -> list[Mistake]:
    cells = line.cells
    paid = cells["decision"] == "paid"
    rules: list[tuple[bool, str, str, str]] = [
        (not is_reference(cells["reference"]), "reference", "bad_reference",
         _A_REFERENCE),
        (cells["decision"] not in DECISIONS, "decision", "unknown_decision", f"Give one of {', '.join(DECISIONS)}."),
        (paid and not cells["receipt"], "receipt", "receipt_missing", "“paid” needs the provider's receipt."),
        (bool(cells["receipt"]) and not paid, "receipt", "receipt_not_for_this", "Only “paid” has a receipt."),
        (paid and bool(cells["receipt"]) and not re.fullmatch(RECEIPT, cells["receipt"]), "receipt", "bad_receipt",
         "A receipt is 3 to 40 letters, digits, dots, slashes and hyphens."),
        (not 3 <= len(cells["evidence"]) <= 1000, "evidence", "bad_evidence",
         "Say in 3 to 1,000 characters what the decision rests on."),
    ]  # fmt: skip
    return [Mistake(line.number, column, rule, detail) for wrong, column, rule, detail in rules if wrong]
