"""What became of a payout's attempts: reports are waited for, the provider is queried on a schedule, and after a while
a person is asked too. The half of a payout's leg that sends nothing."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.saga.payouts import Payouts
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.payouts import (
        PayoutInstruction,
        PayoutQueried,
        QueryPayout,
    )
    from models.messages.saga.policies import PayoutPolicy
    from models.messages.saga.reports import Report
    from models.messages.saga.status import LegStatus
    from workflows.saga import policies
    from workflows.saga.attempts import Attempt, Effect, LegEvent, evidence
    from workflows.saga.base import Saga
    from workflows.saga.rails import RAILS
    from workflows.saga.weighing import Scale

NEVER_SENT: Final = "never_sent"


class PayoutInquiry:
    """What is known of one instruction's attempts, and how more is found out."""

    def __init__(
        self,
        saga: Saga,
        instruction: PayoutInstruction,
        policy: PayoutPolicy,
        record: Callable[[LegEvent], Awaitable[None]],
        stage: str,
    ) -> None:
        """`stage` is what the saga shows while the leg runs."""
        self.saga, self.instruction, self.policy, self.record = saga, instruction, policy, record
        self.stage = stage
        self.rail, self.scale = RAILS[instruction.provider], Scale(instruction, policy)
        self.attempts: list[Attempt] = []
        self.in_review = False
        self.ended = False
        self._retry_now = False

    async def _learn(self, attempt: Attempt) -> None:
        """Waits for the report and asks on a schedule. After the policy's time a person is asked too, without a deadline;
        the questions go on. A person's own question uses up none of the schedule."""
        questions = iter(self.policy.query_after)
        attempt.query_at = self._later(next(questions, None))
        while attempt.outcome is None:
            now, review_at, ask_at = workflow.now(), self._review_at(attempt), attempt.query_at
            if not self.in_review and now >= review_at:
                await self._open_review(attempt)
                continue
            settled_at = None if self.scale.queried_since_window(attempt) else self.scale.window_ends(attempt)
            wakes = [moment for moment in (ask_at, settled_at, None if self.in_review else review_at) if moment]
            await self.saga.until(
                lambda: attempt.outcome or attempt.query_now or (attempt.review_now and not self.in_review),
                timeout=max(min(wakes) - now, policies.AT_ONCE) if wakes else None,
                waiting_for=self._waiting_for,
            )
            if attempt.outcome is not None:
                break
            due = ask_at is not None and workflow.now() >= ask_at
            if due and not attempt.query_now:
                attempt.query_at = self._later(next(questions, None))
            if due or attempt.query_now or (settled_at is not None and workflow.now() >= settled_at):
                await self._query_attempt(attempt)
        if self.in_review:
            self.in_review = False
            self.saga.enter(self.stage, searchable=True)

    async def _query_attempt(self, attempt: Attempt) -> None:
        """Asks the provider what became of the attempt."""
        attempt.query_now = False
        asked = await self._question(attempt, f"what became of attempt {attempt.number}?")
        if asked is None:
            return  # no answer proves nothing; the schedule goes on
        if asked.never_sent:
            attempt.fail(NEVER_SENT, "The instruction never left; its reference is fenced off.", retriable=True)

    async def _question(self, attempt: Attempt, summary: str) -> PayoutQueried | None:
        """One status question with its answer, as far as one comes in time; None if it could not be put."""
        attempt.querying, attempt.query_said = True, None
        try:
            asked: PayoutQueried = await workflow.execute_activity_method(
                Payouts.query,
                QueryPayout(
                    instruction=self.instruction,
                    reference=attempt.reference,
                    number=attempt.number,
                    again_at=attempt.query_at,
                ),
                summary=summary,
                **self.rail.query.options(),
            )
            attempt.queried_at = workflow.now()
            if asked.report is not None:
                await self._apply_answer(asked.report)
            elif asked.by_callback:
                await self.saga.until(
                    lambda: attempt.outcome == "paid" or attempt.query_said,
                    timeout=self.policy.answer_within,
                    waiting_for="the provider's answer to our status question",
                )
            return asked
        except ActivityError:
            return None
        finally:
            attempt.querying = False

    async def _open_review(self, attempt: Attempt) -> None:
        self.in_review, attempt.review_now = True, False
        self.saga.enter("in_review", searchable=True)
        await self.record(
            LegEvent(
                key=f"{attempt.reference}:review",
                text="The provider has not said what became of the payout. Nothing is undone; a person must decide.",
                tone="bad",
                in_review=True,
                code=attempt.code,
                facts=evidence(self.instruction, attempt),
                case="payout_unknown",
            )
        )

    async def _confirm_failure(self, attempt: Attempt) -> None:
        """A failure that a callback alone told may be wrong. It stands if the status answer agrees, or if nobody answers
        and the amount is small; otherwise the attempt is unknown again."""
        await self._question(attempt, f"did attempt {attempt.number} really fail?")
        if attempt.outcome != "failed":
            return
        if self.scale.failure_needs_a_person(attempt):
            attempt.reopen()
            await self._learn(attempt)
        else:
            attempt.failure_told = False

    async def _apply_answer(self, report: Report) -> None:
        """A report that came as the answer to a call of ours."""
        _, event = self.apply(report)
        if event:
            await self.record(event)

    def knows(self, reference: str | None) -> bool:
        return any(attempt.reference == reference for attempt in self.attempts)

    def apply(self, report: Report) -> tuple[Effect, LegEvent | None]:
        """Weighs a report: what it changed, and what must be written down about it."""
        attempt = next(a for a in self.attempts if a.reference == report.reference)
        return self.scale.weigh(attempt, report, is_open=attempt is self.attempts[-1] and not self.ended)

    def query_again(self) -> None:
        """A person wants to go on now: ask the status, or make the next attempt, instead of waiting."""
        self._retry_now = True
        if self.attempts and self.attempts[-1].outcome is None:
            self.attempts[-1].query_now = True

    def may_be_decided(self, decision: str) -> str | None:
        """Why a person may not say "paid" or "not_paid" of this payment now; None if it may be said."""
        return self.scale.may_be_decided(self.attempts[-1] if self.attempts else None, decision)

    def resolve(self, resolution: Resolution) -> None:
        """A person decides, with evidence. The caller has asked `may_be_decided`."""
        attempt = self.attempts[-1]
        attempt.resolved_by = resolution.decided_by
        if resolution.decision == "paid":
            attempt.outcome, attempt.code, attempt.detail = "paid", "resolved", resolution.evidence
            attempt.receipt = resolution.receipt
            attempt.paid_at = resolution.paid_at or workflow.now()
        else:
            attempt.fail("resolved_not_paid", resolution.evidence)

    @property
    def question(self) -> str | None:
        """The reference of the attempt that may have been paid and whose outcome nobody has told."""
        attempt = self.attempts[-1] if self.attempts else None
        return attempt.reference if attempt is not None and attempt.outcome is None and attempt.in_doubt else None

    @property
    def may_have_left(self) -> bool:
        """True from the moment of sending until the money is known not to have gone."""
        return any(a.outcome == "paid" or (a.outcome is None and a.in_doubt) for a in self.attempts)

    @property
    def summary(self) -> str:
        """One line for the Temporal UI."""
        shown = self.status
        receipt = f", receipt `{shown.receipt}`" if shown.receipt else ""
        return f"payout {shown.amount} to {shown.to}: {shown.state}{receipt}"

    @property
    def status(self) -> LegStatus:
        last = self.attempts[-1] if self.attempts else None
        state = (last.outcome or ("in_review" if self.in_review else "sent")) if last else "waiting"
        return LegStatus(
            leg_id=self.instruction.leg_id,
            amount=self.instruction.amount,
            to=self.instruction.to,
            state=state,
            reference=last and last.reference,
            receipt=last and last.receipt,
            attempts=len(self.attempts),
            last_said=last and (last.detail or None),
        )

    @property
    def _waiting_for(self) -> str:
        return "a report, or an operator's decision with evidence" if self.in_review else "the provider's report"

    @staticmethod
    def _later(wait: timedelta | None) -> datetime | None:
        return None if wait is None else workflow.now() + wait

    def _review_at(self, attempt: Attempt) -> datetime:
        """At the policy's time after its sending; at once where a person must see it, or nothing more will be asked."""
        assert attempt.sent_at is not None
        now = workflow.now()
        return now if attempt.review_now or attempt.query_at is None else attempt.sent_at + self.policy.case_after
