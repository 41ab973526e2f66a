"""What a payout leg remembers of each reference it sent, and what it wants written down."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from models.messages.saga.payouts import PayoutInstruction
from models.messages.saga.reports import Report

# What a report changed in a leg.
Effect = Literal["settled", "noted", "agrees", "contradicts"]


@dataclass(frozen=True)
class LegEvent:
    """Something to record on the saga's timeline; `case` asks for a person, `about` tells several of one kind apart, and
    `again_at` says when it goes on by itself."""

    key: str
    text: str
    tone: Literal["info", "good", "warning", "bad"] = "info"
    in_review: bool = False
    code: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    case: Literal["payout_unknown", "payout_contradiction", "collection_unknown", "collection_contradiction"] | None = (
        None
    )
    about: str | None = None
    again_at: datetime | None = None


@dataclass
class Attempt:
    """One reference and what is known of it. `outcome` is set once, by the first final report."""

    reference: str
    number: int
    outcome: Literal["paid", "failed"] | None = None
    code: str | None = None
    detail: str = ""
    retriable: bool = False
    receipt: str | None = None
    provider_reference: str | None = None
    paid_at: datetime | None = None
    resolved_by: str | None = None
    sent_at: datetime | None = None  # when its sending began, the last time
    send_by: datetime | None = None  # when it may not leave any more
    in_doubt: bool = False  # it may have left
    query_now: bool = False  # something must be confirmed, or a person wants to know
    review_now: bool = False  # what was told of it a person must see at once
    query_at: datetime | None = None  # when the schedule asks next
    querying: bool = False  # a query is open
    queried_at: datetime | None = None  # when the last query was put
    query_said: str | None = None  # what was said to it
    failure_told: bool = False  # the failure is a callback's word, which nobody has confirmed yet
    contradictions: int = 0

    def fail(self, code: str, detail: str, *, retriable: bool = False) -> None:
        self.outcome, self.code, self.detail, self.retriable = "failed", code, detail, retriable

    def reopen(self) -> None:
        """What was told of it is not enough to believe: it is unknown again, and a person sees it at once."""
        self.outcome, self.failure_told, self.review_now = None, False, True


def evidence(instruction: PayoutInstruction, attempt: Attempt) -> dict[str, str]:
    """All that a person needs to find the payment on the provider's portal, without the phone number."""
    return {
        "reference": attempt.reference,
        "provider_reference": attempt.provider_reference or "-",
        "amount": str(instruction.amount),
        "to": instruction.to,
        "attempt": str(attempt.number),
        "said": attempt.detail or "nothing",
    }


def contradiction(instruction: PayoutInstruction, attempt: Attempt, report: Report, why: str) -> LegEvent:
    """A report that does not agree with what is known; a person must look."""
    attempt.contradictions += 1
    key = f"{attempt.reference}:contradiction:{report.state}:{report.code}:{report.receipt or '-'}"
    return LegEvent(
        key=key,
        text=f"A report of “{report.state}” {why}.",
        tone="bad",
        code=report.code,
        facts={**evidence(instruction, attempt), "reported": report.state, "reported_receipt": report.receipt or "-"},
        case="payout_contradiction",
        about=key,
    )
