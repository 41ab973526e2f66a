"""Who decides about money cannot agree to it (P8): a decision that waits for a second person."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages.saga.decisions import Resolution
    from workflows.saga.base import Saga

ONE_PROPOSAL = "A proposal waits for approval already."


class FourEyes:
    """One proposes, another approves or declines; a declined proposal is forgotten and anybody may propose anew.

    Two are two people only if nobody is behind the keys of both: `people` comes from the decision's row, where the API
    wrote who had proven it.
    """

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
        """The proposal that nobody has answered yet."""
        return self.proposed if self.agreed is None else None

    @property
    def people(self) -> tuple[str, ...]:
        """Who proposed and who agreed, once it is decided."""
        if self.agreed is None or self.agreed.agreed_by is None:
            return ()
        return (self.agreed.person_id, self.agreed.agreed_by)

    def propose(self, said: Resolution) -> None:
        """Raises ApplicationError "wrong_stage" while another proposal waits."""
        if self.proposed is not None:
            raise ApplicationError(ONE_PROPOSAL, type="wrong_stage")
        self.proposed = said

    def answered_by(self, said: Resolution) -> Resolution:
        """The proposal that this answers, while one waits. Raises ApplicationError: "superseded" for an answer to another
        one, "four_eyes" for approval by the people who proposed it."""
        proposed = self.waiting
        assert proposed is not None
        if said.about != proposed.decision_id:
            raise ApplicationError("That answers another proposal than the one that waits.", type="superseded")
        if said.decision == "approve" and not set(said.people).isdisjoint(proposed.people):
            raise ApplicationError("Who proposed it cannot approve it.", type="four_eyes")
        return proposed

    def agree(self, proposed: Resolution, by: str) -> Resolution:
        """The proposal as two people's decision."""
        self.agreed = proposed.model_copy(update={"agreed_by": by})
        return self.agreed

    def decline(self) -> None:
        self.proposed = None
