"""What a saga must know of a leg, whichever way its money goes."""

from typing import Protocol

from models.messages.saga.decisions import Resolution
from models.messages.saga.reports import Report
from models.messages.saga.status import LegStatus
from workflows.saga.attempts import Effect, LegEvent


class Leg(Protocol):
    """One movement of money: composed by a saga, told what providers and people say of it."""

    stage: str  # what the saga shows while it runs
    in_review: bool

    @property
    def ended(self) -> bool: ...
    @property
    def question(self) -> str | None:
        """The reference that may have been paid and whose outcome nobody has told; None if nothing is in doubt."""

    @property
    def may_have_left(self) -> bool: ...
    @property
    def status(self) -> LegStatus: ...
    @property
    def summary(self) -> str: ...
    def knows(self, reference: str | None) -> bool: ...
    def apply(self, report: Report) -> tuple[Effect, LegEvent | None]:
        """What a report changed, and what must be recorded of it."""

    def query_again(self) -> None: ...
    def may_be_decided(self, decision: str) -> str | None:
        """Why a person may not say "paid" or "not_paid" now; None if it may be said."""

    def resolve(self, resolution: Resolution) -> None: ...
