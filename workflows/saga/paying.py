"""A saga with payout legs: what providers and operators may tell it, and how it answers."""

from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages.errors import ErrorFacts
    from models.messages.saga.decisions import CommandTaken, Resolution, RetryNow
    from models.messages.saga.payouts import Paid, PayoutInstruction, Unpaid
    from models.messages.saga.policies import PayoutPolicy
    from models.messages.saga.reports import Report, ReportTaken
    from models.messages.saga.status import SagaStatus
    from workflows.saga.attempts import Attempt, LegNote
    from workflows.saga.decisions import APPROVAL, DecidingSaga
    from workflows.saga.payout_leg import PayoutLeg


_WAITING_STAGES = frozenset({"waiting_funds", "waiting_limit", "waiting_date", "in_review", "post_review", APPROVAL})


class PayingSaga(DecidingSaga):
    """The base of every saga that pays out. `payments` holds what is known to have been paid."""

    def __init__(self) -> None:
        super().__init__()
        self.legs: list[PayoutLeg] = []
        self.payments: list[Paid] = []
        self.reason: ErrorFacts | None = None
        self.retry_wanted = False

    def new_leg(
        self,
        instruction: PayoutInstruction,
        policy: PayoutPolicy,
        *,
        stage: str = "paying",
        cancellable: bool = True,
        still_wanted: Callable[[], Awaitable[bool]] | None = None,
        after: Unpaid | None = None,
    ) -> PayoutLeg:
        leg = PayoutLeg(
            self,
            instruction,
            policy,
            self.note_leg,
            stage=stage,
            cancellable=cancellable,
            still_wanted=still_wanted,
            after=after,
        )
        self.legs.append(leg)
        return leg

    async def note_leg(self, note: LegNote) -> None:
        """Writes a leg's note into the saga's timeline."""
        raise NotImplementedError

    @property
    def unknown_attempt(self) -> Attempt | None:
        """The attempt that may have been paid and whose outcome nobody has told."""
        attempt = self.legs[-1].attempts[-1] if self.legs and self.legs[-1].attempts else None
        return attempt if attempt is not None and attempt.outcome is None and attempt.in_doubt else None

    @property
    def question(self) -> str | None:
        return self.unknown_attempt.reference if self.unknown_attempt else self.other_question

    @property
    def other_question(self) -> str | None:
        """What a person decides besides the outcome of an attempt."""
        return None

    @property
    def stage_without_proposal(self) -> str:
        """A proposal is about the last leg, whose stages are these two."""
        leg = self.legs[-1]
        return "in_review" if leg.in_review and self.unknown_attempt else leg.stage

    def judge_outcome(self, said: Resolution, what: str) -> None:
        """Raises ApplicationError unless a person may say now what became of the last attempt."""
        if self.unknown_attempt is None:
            self.refuse(said)
        if refusal := self.legs[-1].may_be_decided(said.decision):
            raise ApplicationError(refusal, type="too_early")
        if said.decision == "paid" and not said.receipt:
            raise ApplicationError(f"A {what} is resolved as paid only with its receipt.", type="receipt_missing")

    def take_wish(self) -> bool:
        """True once per `retry`, and always once somebody wants to cancel while nothing was paid."""
        wanted, self.retry_wanted = self.retry_wanted, False
        return wanted or (self.cancel_wanted and not self.payments)

    # -------------------------------------------------------------------------------------------------- the messages

    @workflow.update(name="report")
    async def report(self, report: Report) -> ReportTaken:
        """A provider's report. Update id: `cb:<provider>:<external id>`, so a duplicate gets the first answer."""
        leg = next(leg for leg in self.legs if leg.knows(report.reference))
        effect, note = leg.take(report)
        if note:
            await self.note_leg(note)
        return ReportTaken(effect=effect, stage=self.stage)

    @report.validator
    def _report_is_ours(self, report: Report) -> None:
        if not any(leg.knows(report.reference) for leg in self.legs):
            raise ApplicationError("No payout of this saga has that reference.", type="unknown_reference")

    @workflow.update(name="retry")
    async def retry(self, wish: RetryNow) -> CommandTaken:
        """Go on at once instead of at the end of the wait: ask the status, make the next attempt, read or post again."""
        if self.legs and not self.legs[-1].ended:
            self.legs[-1].ask_again()
        else:
            self.retry_wanted = True
        return CommandTaken(stage=self.stage, at=workflow.now())

    @retry.validator
    def _retry_while_waiting(self, wish: RetryNow) -> None:
        # By stage as well: the row says "in review" a moment before the saga begins to wait.
        if self.waiting_for is None and self.stage not in _WAITING_STAGES:
            raise ApplicationError(f"Nothing is waiting at the stage “{self.stage}”.", type="wrong_stage")

    @workflow.update(name="cancel_request")
    async def cancel_request(self, wish: RetryNow) -> CommandTaken:
        """Stop, if nothing was sent yet."""
        self.cancel_wanted = True
        return CommandTaken(stage=self.stage, at=workflow.now())

    @cancel_request.validator
    def _cancel_before_the_pivot(self, wish: RetryNow) -> None:
        if self.payments or any(leg.may_have_left for leg in self.legs):
            raise ApplicationError("Money may have left; a payout cannot be recalled.", type="wrong_stage")

    @workflow.query(name="status")
    def status(self) -> SagaStatus:
        return SagaStatus(
            stage=self.stage,
            waiting_for=self.waiting_for,
            since=self.since,
            legs=tuple(leg.status for leg in self.legs),
            reason_code=self.reason.code if self.reason else None,
            reason=self.reason.detail if self.reason else None,
            question=self.question,
            proposal=self.proposal,
        )

    def details(self) -> list[str]:
        lines = [
            f"- payout {leg.amount} to {leg.to}: {leg.state}" + (f", receipt `{leg.receipt}`" if leg.receipt else "")
            for leg in (leg.status for leg in self.legs)
        ]
        if self.reason:
            lines.append(f"- last obstacle: `{self.reason.code}` {self.reason.detail}")
        return lines
