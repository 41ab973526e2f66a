"""Who decides about money cannot agree to it (P8): a decision that waits for others.

Who they are and whether there are enough of them is said by the rows of its request (store/platform/approvals.py), where
each was checked; the saga keeps what it asked, and believes what it reads back.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from core.ids import APPROVAL, derived_id
    from models.messages.saga.approvals import Outcome
    from models.messages.saga.decisions import Resolution
    from workflows.saga.base import Saga

ONE_PROPOSAL = "A proposal waits for approval already."


class FourEyes:
    """One proposes, others approve or reject; a rejected proposal is forgotten and anybody may propose anew."""

    def __init__(self) -> None:
        self.proposed: Resolution | None = None
        self.agreed: Resolution | None = None
        self._about: str | None = None

    def turn_to(self, about: str | None) -> None:
        """What a decision is about now. A proposal on anything else is forgotten: it must not be approved for this."""
        if about != self._about:
            self.proposed, self.agreed, self._about = None, None, about

    def is_free(self, about: str | None) -> bool:
        """Whether something could be proposed about this now."""
        return self.proposed is None or about != self._about

    async def made(self, saga: Saga, waiting_for: str) -> Resolution:
        """The approved proposal, however long it takes."""
        await saga.until(lambda: self.agreed, waiting_for=waiting_for)
        assert self.agreed is not None
        return self.agreed

    @property
    def waiting(self) -> Resolution | None:
        """The proposal that is not answered yet."""
        return self.proposed if self.agreed is None else None

    @property
    def people(self) -> tuple[str, ...]:
        """Who proposed and who agreed, once it is decided."""
        return self.agreed.everybody if self.agreed is not None else ()

    def propose(self, said: Resolution) -> None:
        """Raises ApplicationError "wrong_stage" while another proposal waits."""
        if self.proposed is not None:
            raise ApplicationError(ONE_PROPOSAL, type="wrong_stage")
        self.proposed = said

    def asked(self, outcome: Outcome) -> Resolution:
        """The proposal whose request this is about. Raises ApplicationError "superseded" for another one's."""
        proposed = self.waiting
        if proposed is None or outcome.request_id != request_of(proposed):
            raise ApplicationError("That answers another proposal than the one that waits.", type="superseded")
        return proposed

    def agree(self, proposed: Resolution, by: tuple[str, ...]) -> Resolution:
        """The proposal as several people's decision."""
        self.agreed = proposed.model_copy(update={"agreed_by": by})
        return self.agreed

    def drop(self) -> None:
        self.proposed = None


def request_of(proposed: Resolution) -> str:
    """The id of the request for others' approval: the same after a reset."""
    return derived_id(APPROVAL, proposed.decision_id)
