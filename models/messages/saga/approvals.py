"""The words between a saga that waits for people and the request for their approval."""

from typing import Literal

from pydantic import Field, model_validator

from models.messages.base import Message


class Decide(Message):
    """What the update `decide` takes: either the id of a `request` that was answered where people sign in, or, typed into
    Temporal's own page, a `decision` with the `code` that its person was given. It proves nothing but by the rows behind
    it."""

    request: str | None = Field(default=None, pattern=r"^apr_[0-9a-hjkmnp-tv-z]{26}$")
    decision: Literal["approve", "reject"] | None = None
    code: str | None = Field(default=None, min_length=1, max_length=64)
    reason: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _one_way(self) -> "Decide":
        by_code = self.decision is not None and self.code is not None
        if (self.request is None) != by_code:
            raise ValueError('Give {"decision": "approve" or "reject", "code": "…", "reason": "…"}.')
        return self


class ClaimAnswer(Message):
    """Answer what this saga waits for, as the person to whom the code was given."""

    workflow_id: str
    decision: Literal["approve", "reject"]
    code: str
    reason: str = ""


class ReadOutcome(Message):
    """What became of a request, asked by the saga that it is about."""

    workflow_id: str
    request_id: str


class Answered(Message):
    """One person's answer. `on_behalf_of` names who delegated to them."""

    answer_id: str
    person_id: str
    on_behalf_of: str | None = None
    people: tuple[str, ...] = ()
    decision: Literal["approve", "reject"]
    reason: str = ""


class Outcome(Message):
    """How a request stands: `proposal_id` is the decision that it asks others to agree to, `needed` how many of them."""

    request_id: str
    proposal_id: str
    state: Literal["open", "approved", "rejected", "expired", "cancelled", "stale"]
    needed: int
    answers: tuple[Answered, ...] = ()

    @property
    def last(self) -> Answered | None:
        return self.answers[-1] if self.answers else None
