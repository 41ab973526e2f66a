"""What a provider's message turned out to say, once it was read."""

from typing import Any, Literal

from models.messages.base import Message

# "waiting": for its saga. The others are final.
Outcome = Literal[
    "waiting", "taken", "refused", "redundant", "contradiction", "unclaimed", "unreadable", "forged", "copy"
]


class CaseFound(Message):
    """A case that reading a message opens. `key` None: one for the message itself."""

    kind: str
    summary: str
    evidence: dict[str, str] = {}
    key: str | None = None


class Reading(Message):
    """One message as it is delivered from the inbox. `external_id` is the same for a repeat by the same channel; `body` is
    a copy for people, without secrets and persons; with an `outcome` that is final nothing is delivered."""

    provider: str
    kind: str
    external_id: str
    report: dict[str, Any]
    reference: str = "-"
    body: Any = {}
    workflow_id: str | None = None
    partner_id: str | None = None
    outcome: Outcome = "waiting"
    case: CaseFound | None = None
