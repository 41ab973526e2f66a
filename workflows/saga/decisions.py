"""A saga that takes people's decisions: it believes their rows, and nothing that a message says of itself.

Whoever can reach Temporal can send an update with any content. So `resolve` takes only the id of a decision, and `decide`
the id of a request that others answered, or a code that is proven before anything is written; the rows behind them were
written in the transaction that checked who asked (docs/ARCHITECTURE.md). A decision is judged after it was read, because the
saga may have gone on meanwhile, and counts once, for the question that it was made about.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.saga.approvals import Approvals
    from activities.saga.decisions import Decisions
    from models.messages.saga.approvals import Answered, ClaimAnswer, Decide, Outcome, ReadOutcome
    from models.messages.saga.decisions import CommandTaken, DecisionMade, ReadDecision, RecordDecision, Resolution
    from models.messages.saga.status import Offer, Proposed
    from workflows.saga import policies
    from workflows.saga.base import Saga
    from workflows.saga.failures import facts_of
    from workflows.saga.four_eyes import ONE_PROPOSAL, FourEyes, request_of

APPROVAL = "approval"  # the stage while a proposal waits for a second person
_SHORTEST = 3  # characters of what a decision rests on
_TURNED_DOWN = "That decision was taken, or refused, before."
_PASSED = "The saga has gone on since that was decided; look at it again."


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that a person may decide now. `apply` carries it out; `check` raises ApplicationError where the moment or the
    evidence forbids it; `two_people`: a second person must agree. `refused` says what `check` would say of the moment."""

    apply: Callable[[Resolution], None]
    two_people: bool = False
    check: Callable[[Resolution], None] | None = None
    refused: str | None = None


class DecidingSaga(Saga):
    """The base of every saga that a person may have to decide about."""

    proposal_stages: tuple[str, ...] = ()  # where a decision may be proposed

    def __init__(self) -> None:
        super().__init__()
        self.decision = FourEyes()
        self._read_before: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    # ------------------------------------------------------------------------------------------- what each saga says

    @property
    def question(self) -> str | None:
        """What a decision would be about now: an attempt's reference, a step that waits for a person; None if nothing."""
        raise NotImplementedError

    def decisions(self) -> dict[str, Choice]:
        """What a person may decide now, by the word for it."""
        raise NotImplementedError

    @property
    def stage_without_proposal(self) -> str:
        """Where the saga stands once a proposal is answered or void."""
        raise NotImplementedError

    @property
    def decisions_now(self) -> list[Offer]:
        """What a decision could say now, and what would be refused although the stage fits."""
        if self.question is None:
            return []
        offered = [
            Offer(word=word, two_people=choice.two_people, refused=choice.refused or self._waits_already(choice))
            for word, choice in self.decisions().items()
        ]
        return offered + [Offer(word=word) for word in ("approve", "decline") if self.proposal is not None]

    def _waits_already(self, choice: Choice) -> str | None:
        taken = choice.two_people and not self.decision.is_free(self.question)
        return ONE_PROPOSAL if taken else None

    # ---------------------------------------------------------------------------------------------------- the update

    @workflow.update(name="resolve")
    async def resolve(self, made: DecisionMade) -> CommandTaken:
        """An operator's decision where the machine must not guess: the id of its row."""
        said = await self._read(made)
        async with self._one_at_a_time:  # their lines and stages follow one another
            stage, at = self.stage, workflow.now()
            if await self._decide(said) == "proposed":
                stage = APPROVAL
        return CommandTaken(stage=stage, at=at)

    @workflow.update(name="decide")
    async def decide(self, given: Decide) -> CommandTaken:
        """Approve or reject what waits for approval: {"decision": "approve", "code": "…", "reason": "…"}, with a code that
        `kivuko approvals code` or the console made for you."""
        return await self._take(given)

    @decide.validator
    def _something_waits(self, given: Decide) -> None:
        """A code is not even tried, and so not used up, where nothing waits for it."""
        if given.code is not None and self.proposal is None:
            raise ApplicationError("Nothing waits for approval.", type="wrong_stage")

    @workflow.signal(name="decide_signal")
    async def decide_signal(self, given: Decide) -> None:
        """The same for pages that can only signal; what is refused leaves no trace but its own record."""
        with suppress(ApplicationError):
            await self._take(given)

    async def _take(self, given: Decide) -> CommandTaken:
        async with self._one_at_a_time:
            stage, at = self.stage, workflow.now()
            await self._answer(await self._outcome(given))
        return CommandTaken(stage=stage, at=at)

    async def _read(self, made: DecisionMade) -> Resolution:
        order = ReadDecision(decision_id=made.decision_id, workflow_id=workflow.info().workflow_id)
        try:
            said: Resolution = await workflow.execute_activity_method(
                Decisions.read, order, summary="who decided what?", **policies.BOOKS.options()
            )
        except ActivityError as error:
            raise _refused(error) from error
        return said

    async def _outcome(self, given: Decide) -> Outcome:
        """What became of the request, after the code was proven if there is one."""
        workflow_id = workflow.info().workflow_id
        outcome: Outcome
        try:
            if given.request is not None:
                outcome = await workflow.execute_activity_method(
                    Approvals.outcome, ReadOutcome(workflow_id=workflow_id, request_id=given.request),
                    summary="what did others say?", **policies.BOOKS.options(),
                )  # fmt: skip
            else:
                claim = {"decision": given.decision, "code": given.code, "reason": given.reason}
                outcome = await workflow.execute_activity_method(
                    Approvals.claim, ClaimAnswer.model_validate({"workflow_id": workflow_id, **claim}),
                    summary="whose code is it?", **policies.BOOKS.options(),
                )  # fmt: skip
        except ActivityError as error:
            raise _refused(error) from error
        return outcome

    async def _decide(self, said: Resolution) -> Literal["decided", "proposed"]:
        self._counts_once(said)
        if self.question is not None and said.about != self.question:
            raise ApplicationError(_PASSED, type="superseded")
        choice = self._choice(said)
        if said.about != self.question:
            raise ApplicationError(_PASSED, type="superseded")
        self.decision.turn_to(self.question)
        if not choice.two_people:
            choice.apply(said)
            await self._record(said, "decided")
            return "decided"
        self.decision.propose(said)
        self.enter(APPROVAL, searchable=True)
        await self._record(said, "proposed", self.proposal_stages, APPROVAL, proposed=said)
        asyncio.create_task(self._until_answered(said))  # noqa: RUF006  (the workflow holds its tasks)
        return "proposed"

    async def _answer(self, outcome: Outcome) -> None:
        """Whatever has become of what was asked. An answer that says nothing new is harmless: it may come twice."""
        proposed = self.decision.asked(outcome)
        last = outcome.last
        if outcome.state == "open":
            if last is not None:
                await self._record(_as_said(proposed, last), "seconded", proposed=proposed)
            return
        if outcome.state == "approved" and last is not None:
            await self._approved(proposed, outcome.answers, last)
            return
        self.decision.drop()
        self.enter(self.stage_without_proposal, searchable=True)
        declined = last is not None and last.decision == "reject"
        said = _as_said(proposed, last) if last is not None and declined else proposed
        await self._record(said, "declined" if declined else "expired", (APPROVAL,), self.stage, proposed=proposed)

    async def _approved(self, proposed: Resolution, answers: tuple[Answered, ...], last: Answered) -> None:
        # A question that the provider is being asked may answer it; nobody's word is taken before.
        await workflow.wait_condition(lambda: self.question != proposed.about or not self._is_too_early(proposed))
        if self.question != proposed.about:
            raise ApplicationError(_PASSED, type="superseded")
        choice = self._choice(proposed)
        stage = self.stage_without_proposal
        settles = self.question if proposed.decision == "not_paid" else None
        by = tuple(one.person_id for one in answers if one.decision == "approve")
        agreed = self.decision.agree(proposed, by)
        self.enter(stage, searchable=True)
        # Written first: what the saga does next closes its books, and they must say who decided.
        await self._record(
            _as_said(proposed, last), "agreed", (APPROVAL,), stage, proposed=proposed, agreed=agreed, settles=settles
        )
        if self.question == agreed.about:  # else the provider told it meanwhile
            choice.apply(agreed)

    def _counts_once(self, said: Resolution) -> None:
        """Marked before it is judged: what was refused in its moment must not be sent again for a better one."""
        if said.decision_id in self._read_before:
            raise ApplicationError(_TURNED_DOWN, type="superseded")
        self._read_before.add(said.decision_id)

    async def _until_answered(self, proposed: Resolution) -> None:
        """The world may answer the question before the second person does; then nothing waits for them."""
        await workflow.wait_condition(lambda: self.decision.waiting is not proposed or self.question != proposed.about)
        if self.decision.waiting is proposed:
            self.decision.turn_to(self.question)
            if self.stage == APPROVAL:
                self.enter(self.stage_without_proposal, searchable=True)
            await self._record(proposed, "overtaken", (APPROVAL,), self.stage_without_proposal, proposed=proposed)

    async def _record(
        self,
        said: Resolution,
        effect: str,
        from_stages: tuple[str, ...] = (),
        stage: str | None = None,
        *,
        proposed: Resolution | None = None,
        agreed: Resolution | None = None,
        settles: str | None = None,
    ) -> None:
        order = RecordDecision.model_validate(
            {
                "workflow_id": workflow.info().workflow_id,
                "said": said,
                "effect": effect,
                "request_id": request_of(proposed) if proposed else None,
                "from_stages": from_stages,
                "stage": stage,
                "agreed": agreed,
                "settles": settles,
            }
        )
        await workflow.execute_activity_method(
            Decisions.record, order, summary=f"{said.decision}: {effect}", **policies.BOOKS.options()
        )

    def _choice(self, said: Resolution) -> Choice:
        """Raises ApplicationError: "wrong_stage" for what nobody decides now, and what the choice's own check does."""
        choice = self.decisions().get(said.decision)
        if choice is None:
            raise ApplicationError(f"“{said.decision}” does not fit the stage “{self.stage}”.", type="wrong_stage")
        if choice.check is not None:
            choice.check(said)
        return choice

    def _is_too_early(self, said: Resolution) -> bool:
        try:
            self._choice(said)
        except ApplicationError as refusal:
            return refusal.type == "too_early"
        return False

    # ---------------------------------------------------------------------------------------------------- what shows

    def shown(self, stage: str) -> str:
        """The stage that the list shows: a proposal that waits is what people look for."""
        return APPROVAL if self.proposal is not None and stage == "in_review" else stage

    def enter(self, stage: str, *, searchable: bool = False) -> None:
        super().enter(self.shown(stage), searchable=searchable)

    @property
    def proposal(self) -> Proposed | None:
        """What waits for a second person, unless the question has changed since."""
        waiting = self.decision.waiting
        if waiting is None or waiting.about != self.question:
            return None
        return Proposed(
            decision_id=waiting.decision_id,
            request_id=request_of(waiting),
            decision=waiting.decision,
            evidence=waiting.evidence,
            receipt=waiting.receipt,
            person_id=waiting.person_id,
        )


def _refused(error: ActivityError) -> ApplicationError:
    facts = facts_of(error)
    return ApplicationError(facts.detail, type=facts.code)


def _as_said(proposed: Resolution, answer: Answered) -> Resolution:
    """An answer as a line of the timeline names it."""
    return Resolution(
        decision="approve" if answer.decision == "approve" else "decline",
        evidence=answer.reason if len(answer.reason) >= _SHORTEST else f"({answer.reason or 'no more was said'})",
        decision_id=answer.answer_id,
        about=proposed.decision_id,
        person_id=answer.person_id,
        people=answer.people,
    )
