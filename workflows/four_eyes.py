"""Who decides about money cannot agree to it (P8): a decision that waits for a second person."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages.payouts import Resolution
    from workflows.saga import Saga


class FourEyes:
    """One proposes, another approves or declines; a declined proposal is forgotten and anybody may propose anew."""

    def __init__(self) -> None:
        self.proposed: Resolution | None = None
        self.approved_by: str | None = None
        self._about = ""

    def turn_to(self, about: str) -> None:
        """What a decision is about now. A proposal on anything else is forgotten: it must not be approved for this."""
        if about != self._about:
            self.proposed, self.approved_by, self._about = None, None, about

    def is_about_another(self, about: str) -> bool:
        return about != self._about

    async def made(self, saga: Saga, waiting_for: str) -> Resolution:
        """The approved proposal, however long it takes."""
        await saga.until(lambda: self.approved_by, waiting_for=waiting_for)
        assert self.proposed is not None
        return self.proposed

    @property
    def waits_for_approval(self) -> bool:
        return self.proposed is not None and self.approved_by is None

    @property
    def people(self) -> tuple[str, ...]:
        """Who proposed and who approved, once it is decided."""
        if self.proposed is None or self.approved_by is None:
            return ()
        return (self.proposed.actor, self.approved_by)

    def take(self, resolution: Resolution) -> None:
        if resolution.decision == "approve":
            self.approved_by = resolution.actor
        elif resolution.decision == "decline":
            self.proposed = None
        else:
            self.proposed = resolution

    def check(self, resolution: Resolution, *, proposals: tuple[str, ...]) -> None:
        """Raises ApplicationError: "wrong_stage" for what does not fit, "four_eyes" for one's own proposal."""
        if resolution.decision in ("approve", "decline"):
            if not self.waits_for_approval:
                raise ApplicationError("Nothing waits for approval.", type="wrong_stage")
            assert self.proposed is not None
            if resolution.decision == "approve" and resolution.actor == self.proposed.actor:
                raise ApplicationError("Who proposed it cannot approve it.", type="four_eyes")
            return
        if resolution.decision not in proposals:
            raise ApplicationError(f"“{resolution.decision}” is not one of {', '.join(proposals)}.", type="wrong_stage")
        if self.proposed is not None:
            raise ApplicationError("A proposal waits for approval already.", type="wrong_stage")
