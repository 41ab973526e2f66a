"""What every saga says of itself: to the query `status`, to its timeline, to the case desk."""

from typing import Literal

from pydantic import AwareDatetime

from core.money import Money
from models.messages.base import Message

Tone = Literal["info", "good", "warning", "bad"]


class SagaRequest(Message):
    """What the input of every saga names: whose it is, and its own id."""

    partner_id: str
    workflow_id: str


class LegStatus(Message):
    """One payout or collection leg as the saga sees it now; the phone is masked."""

    leg_id: str
    amount: Money
    to: str
    state: str
    reference: str | None = None
    receipt: str | None = None
    attempts: int = 0
    last_said: str | None = None


class Proposed(Message):
    """A decision that waits for others to agree; `request_id` is what they answer."""

    decision_id: str
    request_id: str
    decision: str
    evidence: str
    receipt: str | None = None
    person_id: str


class Offer(Message):
    """Something that a person may say to the saga at this stage: a decision, or "retry" and "cancel". `refused` says why it
    would not be taken now, as far as that can be known before anybody says it; `two_people`: another one must agree."""

    word: str
    refused: str | None = None
    two_people: bool = False


class SagaStatus(Message):
    """The answer to the query `status`. `question` is what a decision would be about now; `offers` is None from a worker that
    does not know of them yet."""

    stage: str
    waiting_for: str | None = None
    since: AwareDatetime
    legs: tuple[LegStatus, ...] = ()
    reason_code: str | None = None
    reason: str | None = None
    question: str | None = None
    proposal: Proposed | None = None
    offers: tuple[Offer, ...] | None = None


class CaseToOpen(Message):
    """What a person must decide; what they may decide follows from the kind. One open case per saga and kind, or per
    `about` where there may be several."""

    kind: str
    summary: str
    about: str | None = None


class Notice(Message):
    """A word to the partner: the event's name, such as "float_in_review", and the facts of its text."""

    event: str
    facts: dict[str, str] = {}


class TimelineEvent(Message):
    """Something that happened between the steps: a line in the timeline and, as asked, a stage, a case, a word to the
    partner. A `code` without a case explains why the saga waits, and `again_at` says until when."""

    workflow_id: str
    partner_id: str
    key: str
    text: str
    tone: Tone = "info"
    stage: str | None = None
    code: str | None = None
    facts: dict[str, str] = {}
    again_at: AwareDatetime | None = None
    case: CaseToOpen | None = None
    notice: Notice | None = None
