"""The words between people and sagas: decisions as rows, and commands."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from core.money import Money
from models.messages.base import Message, ProviderId

AccountKind = Literal["loan", "savings"]


class Allocation(Message):
    """A part of a payment, for one account. The account's number is what people know; its id is looked up."""

    kind: AccountKind
    account_no: str = Field(min_length=1, max_length=50)
    amount: Money
    accept_overpayment: bool = False


class Verdict(Message):
    """What a person says of a payment where the machine must not guess, with the evidence that it rests on."""

    decision: Literal["paid", "not_paid", "posted", "partial", "allocate", "returned", "approve", "decline"]
    evidence: str = Field(min_length=3, max_length=1000)
    reference: str | None = None
    receipt: ProviderId | None = Field(default=None, min_length=3, max_length=40)
    transaction_id: int | None = None
    paid_at: AwareDatetime | None = None
    proposal: str | None = None  # for "approve" and "decline": the one that is meant; by default the one that waits
    # For "allocate": the customers' accounts that a payment belongs to.
    allocations: tuple[Allocation, ...] = ()


class DecisionMade(Message):
    """Somebody decided, and the row of this id says who and what. The message itself proves nothing: anybody who can reach
    Temporal can send one."""

    decision_id: str = Field(pattern=r"^dec_[0-9a-hjkmnp-tv-z]{26}$")


class ReadDecision(Message):
    """Which decision a saga wants to read: it believes those that are about itself alone."""

    decision_id: str
    workflow_id: str


class Resolution(Verdict):
    """A verdict as its row says it, with who gave it. `about` is the question that it answers; `people` are all who stand
    behind the key that was used. `agreed_by` are the others, where they were needed."""

    decision_id: str
    about: str
    person_id: str
    people: tuple[str, ...]
    agreed_by: tuple[str, ...] = ()

    @property
    def everybody(self) -> tuple[str, ...]:
        """Who decided: the one who said it, and who agreed."""
        return (self.person_id, *self.agreed_by)

    @property
    def decided_by(self) -> str:
        """The same as the books name them."""
        return " and ".join(self.everybody)


class RecordDecision(Message):
    """Write a decision that the saga took into its timeline. From `from_stages` its row goes to `stage`, if it is still
    there. `agreed` is what people decided with it; `settles` names the attempt or prompt that is now known not to have
    been paid. What is `proposed` asks others to agree under `request_id`, and what ends that ends the request."""

    workflow_id: str
    said: Resolution
    effect: Literal["proposed", "decided", "seconded", "agreed", "declined", "overtaken", "expired"]
    request_id: str | None = None
    from_stages: tuple[str, ...] = ()
    stage: str | None = None
    agreed: Resolution | None = None
    settles: str | None = None


class RetryNow(Message):
    """An operator's command to go on at once instead of at the end of a wait. `actor` is a note of who asked; nothing is
    decided by it."""

    actor: str
    note: str = Field(default="", max_length=1000)


class CommandTaken(Message):
    """The saga's answer to a person's command."""

    stage: str
    at: datetime
