"""What a payout leg remembers of each reference it sent, and what it wants written down."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class LegNote:
    """Something to write into the saga's timeline; `case` asks for a person."""

    key: str
    text: str
    tone: Literal["info", "good", "warning", "bad"] = "info"
    in_review: bool = False
    code: str | None = None
    facts: dict[str, str] = field(default_factory=dict)
    case: Literal["payout_unknown", "payout_contradiction"] | None = None
    tell_partner: str | None = None


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
    in_doubt: bool = False  # it may have left
    ask_now: bool = False  # something must be confirmed, or a person wants to know
    status_said: str | None = None  # the last final word of the provider's status answer
    contradictions: int = 0

    def fail(self, code: str, detail: str, *, retriable: bool = False) -> None:
        self.outcome, self.code, self.detail, self.retriable = "failed", code, detail, retriable
