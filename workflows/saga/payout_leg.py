"""The pivot of a saga: one place that pays and never pays twice.

    derive a reference ─► store it ─► send once ─► wait for the report ─► ask on a schedule ─► a person decides
                                        │ known not sent: the same reference again, after a look whether it is still wanted
                                        │ known failed: a new reference, if the reason allows it and a status answer agrees
                                        └ anything else: never sent again

A reference follows from the saga, the payment's role and part, and the number of attempts known unpaid: whoever forgets (a
reset, a restored database) makes the same one, and finds in our rows or at the provider what became of it.

The first report wins. A later one that contradicts it changes nothing, except that "paid" outranks a recorded failure
while no newer attempt exists; either way a case is opened (daraja.md 14.7).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import chain, count, repeat
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.saga.payouts import Payouts
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.payouts import (
        Paid,
        PayoutInstruction,
        PayoutQueried,
        PreviousFailure,
        QueryPayout,
        SendPayout,
        Unpaid,
    )
    from models.messages.saga.policies import PayoutPolicy
    from models.messages.saga.reports import Report
    from models.messages.saga.status import LegStatus
    from workflows.saga import policies
    from workflows.saga.attempts import Attempt, Effect, LegEvent, evidence
    from workflows.saga.base import EndsUnpaid, Saga
    from workflows.saga.failures import facts_of
    from workflows.saga.rails import RAILS
    from workflows.saga.weighing import FOR_A_PERSON, Scale

NEVER_SENT: Final = "never_sent"


class PayoutLeg:
    """Pays one instruction. The saga composes it, passes it the reports that name it, and reads its end."""

    def __init__(
        self,
        saga: Saga,
        instruction: PayoutInstruction,
        policy: PayoutPolicy,
        record: Callable[[LegEvent], Awaitable[None]],
        *,
        stage: str = "paying",
        cancellable: bool = True,
        still_wanted: Callable[[], Awaitable[bool]] | None = None,
        after: Unpaid | None = None,
    ) -> None:
        """`stage` is what the saga shows while the leg runs. A leg that must finish (money on its way back) is not
        `cancellable`. `still_wanted` looks again before each send that had to wait: False for "nobody can say yet",
        EndsUnpaid for what is no longer to be paid. `after` is how the leg before ended, where a part is paid anew."""
        self.saga, self.instruction, self.policy, self.record = saga, instruction, policy, record
        self.stage, self.cancellable, self.still_wanted = stage, cancellable, still_wanted
        self.rail, self.scale = RAILS[instruction.provider], Scale(instruction, policy)
        self.attempts: list[Attempt] = []
        self.in_review = False
        self.ended = False
        self._retry_now = False
        self._ending: str | None = None
        self._before = after and after.reference and PreviousFailure(
            reference=after.reference, code=after.code, detail=after.detail[:500]
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ the business

    async def run(self) -> Paid | Unpaid:
        """Until the money is known to have gone, or known not to have: there is no third end."""
        try:
            for number in count(1):
                attempt = await self._attempt(number)
                if attempt.outcome != "paid" and self._may_try_again(attempt):
                    await self._wait_to_try_again(attempt)
                while attempt.outcome == "failed" and attempt.failure_told:
                    await self._confirm_failure(attempt)
                if attempt.outcome == "paid":
                    return self._paid(attempt)
                if not self._may_try_again(attempt):
                    break
            return Unpaid(
                leg_id=self.instruction.leg_id,
                code=attempt.code or "failed",
                detail=attempt.detail,
                reference=attempt.reference,
                ending=self._ending,
            )
        finally:
            self.ended = True

    async def _attempt(self, number: int) -> Attempt:
        previous = self.attempts[-1] if self.attempts else None
        attempt = Attempt(f"{self.instruction.leg_id}-a{number}", number)
        self.attempts.append(attempt)
        wanted = previous is None or await self._is_wanted(attempt)
        waits = chain(self.policy.resend_after, repeat(self.policy.resend_after[-1]))
        while attempt.outcome is None and not (wanted and await self._send(attempt, previous)):
            await self._wait_to_send(attempt, next(waits))
            wanted = attempt.outcome is None and await self._is_wanted(attempt)
        if attempt.outcome is None:
            await self._learn(attempt)
        return attempt

    async def _send(self, attempt: Attempt, previous: Attempt | None) -> bool:
        """Sends once. False only if it is known that nothing left; every doubt counts as sent."""
        attempt.sent_at, attempt.send_by = workflow.now(), workflow.now() + self.policy.send_within
        order = SendPayout(
            instruction=self.instruction,
            reference=attempt.reference,
            number=attempt.number,
            send_by=attempt.send_by,
            previous=PreviousFailure(
                reference=previous.reference, code=previous.code or "failed", detail=previous.detail[:500]
            )
            if previous
            else self._before or None,
        )
        attempt.in_doubt = True
        try:
            accepted = await workflow.execute_activity_method(
                Payouts.send, order, summary=f"attempt {attempt.number}", **self.rail.send.options()
            )
            attempt.provider_reference = accepted.provider_reference
            if accepted.report is not None:
                await self._apply_answer(accepted.report)
        except ActivityError as error:
            facts = facts_of(error)
            if attempt.outcome:  # a report overtook the answer, and knows better
                return True
            attempt.code, attempt.detail = facts.code, facts.detail
            attempt.review_now = facts.code in FOR_A_PERSON
            if facts.kind == "transient":
                attempt.in_doubt = False
                return False
            if facts.kind == "rejected":  # also by our own rows, where a saga that was reset has forgotten it
                attempt.fail(facts.code, facts.detail, retriable=facts.extra.get("retriable") == "yes")
        return True

    async def _wait_to_send(self, attempt: Attempt, wait: timedelta) -> None:
        """Nothing left, so there is time: until the provider can be reached, a credential is mended, or somebody stops it."""
        if attempt.detail:
            await self.record(
                LegEvent(
                    key=f"{attempt.reference}:waits:{attempt.code}",
                    text=f"Nothing was sent yet, and it will be tried again: {attempt.detail}",
                    tone="warning",
                    code=attempt.code,
                    facts=evidence(self.instruction, attempt),
                )
            )
        await self.saga.until(
            lambda: attempt.outcome or self._cancelled or self._take_retry(),
            timeout=wait,
            waiting_for="the provider to be reachable; nothing was sent yet",
        )
        if attempt.outcome is None and self._cancelled:
            attempt.fail("cancelled", "The payout was cancelled before anything was sent.")

    async def _is_wanted(self, attempt: Attempt) -> bool:
        """After any wait: what is no longer payable ends unpaid instead of being sent."""
        if self.still_wanted is None:
            return True
        try:
            return await self.still_wanted()
        except EndsUnpaid as end:
            self._ending = end.ending
            attempt.fail(end.code, end.detail)
            return False

    async def _learn(self, attempt: Attempt) -> None:
        """Waits for the report and asks on a schedule. After the policy's time a person is asked too, without a deadline;
        the questions go on. A person's own question uses up none of the schedule."""
        questions = iter(self.policy.ask_after)
        ask_at = self._later(next(questions, None))
        while attempt.outcome is None:
            now, review_at = workflow.now(), self._review_at(attempt, ask_at)
            if not self.in_review and now >= review_at:
                await self._open_review(attempt)
                continue
            settled_at = None if self.scale.asked_since_window(attempt) else self.scale.window_ends(attempt)
            wakes = [moment for moment in (ask_at, settled_at, None if self.in_review else review_at) if moment]
            await self.saga.until(
                lambda: attempt.outcome or attempt.ask_now or (attempt.review_now and not self.in_review),
                timeout=max(min(wakes) - now, policies.AT_ONCE) if wakes else None,
                waiting_for=self._waiting_for,
            )
            if attempt.outcome is not None:
                break
            due = ask_at is not None and workflow.now() >= ask_at
            if due and not attempt.ask_now:
                ask_at = self._later(next(questions, None))
            if due or attempt.ask_now or (settled_at is not None and workflow.now() >= settled_at):
                await self._ask(attempt)
        if self.in_review:
            self.in_review = False
            self.saga.enter(self.stage, searchable=True)

    async def _ask(self, attempt: Attempt) -> None:
        """Asks the provider what became of the attempt."""
        attempt.ask_now = False
        asked = await self._question(attempt, f"what became of attempt {attempt.number}?")
        if asked is None:
            return  # no answer proves nothing; the schedule goes on
        if asked.never_sent:
            attempt.fail(NEVER_SENT, "The instruction never left; its reference is fenced off.", retriable=True)

    async def _question(self, attempt: Attempt, summary: str) -> PayoutQueried | None:
        """One status question with its answer, as far as one comes in time; None if it could not be put."""
        attempt.asking, attempt.status_said = True, None
        try:
            asked: PayoutQueried = await workflow.execute_activity_method(
                Payouts.query,
                QueryPayout(instruction=self.instruction, reference=attempt.reference, number=attempt.number),
                summary=summary,
                **self.rail.query.options(),
            )
            attempt.asked_at = workflow.now()
            if asked.report is not None:
                await self._apply_answer(asked.report)
            elif asked.by_callback:
                await self.saga.until(
                    lambda: attempt.outcome == "paid" or attempt.status_said,
                    timeout=self.policy.answer_within,
                    waiting_for="the provider's answer to our status question",
                )
            return asked
        except ActivityError:
            return None
        finally:
            attempt.asking = False

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

    def _may_try_again(self, attempt: Attempt) -> bool:
        return (
            attempt.outcome == "failed"
            and attempt.retriable
            and (attempt.code == NEVER_SENT or self._refusals <= len(self.policy.attempt_again_after))
            and not self._cancelled
        )

    async def _wait_to_try_again(self, attempt: Attempt) -> None:
        never_sent = attempt.code == NEVER_SENT
        wait = self.policy.resend_after[0] if never_sent else self.policy.attempt_again_after[self._refusals - 1]
        await self.record(
            LegEvent(
                key=f"{attempt.reference}:failed",
                text=f"The payout failed and will be tried again: {attempt.detail}",
                tone="warning",
                code=attempt.code,
                facts=evidence(self.instruction, attempt),
            )
        )
        await self.saga.until(
            lambda: attempt.outcome == "paid" or self._take_retry() or self._cancelled,
            timeout=wait,
            waiting_for="the time of the next attempt",
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

    # ------------------------------------------------------------------------------------------------- the messages

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
            self.attempts[-1].ask_now = True

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

    # -------------------------------------------------------------------------------------------------- small rules

    @property
    def _cancelled(self) -> bool:
        return self.cancellable and self.saga.cancel_wanted

    @property
    def _refusals(self) -> int:
        """Attempts that the provider failed. A crash of our own before anything left uses up none of its patience."""
        return sum(a.outcome == "failed" and a.code != NEVER_SENT for a in self.attempts)

    @property
    def _waiting_for(self) -> str:
        return "a report, or an operator's decision with evidence" if self.in_review else "the provider's report"

    @staticmethod
    def _later(wait: timedelta | None) -> datetime | None:
        return None if wait is None else workflow.now() + wait

    def _review_at(self, attempt: Attempt, ask_at: datetime | None) -> datetime:
        """At the policy's time after its sending; at once where a person must see it, or nothing more will be asked."""
        assert attempt.sent_at is not None
        now = workflow.now()
        return now if attempt.review_now or ask_at is None else attempt.sent_at + self.policy.case_after

    def _take_retry(self) -> bool:
        wanted, self._retry_now = self._retry_now, False
        return wanted

    def _paid(self, attempt: Attempt) -> Paid:
        assert attempt.receipt is not None
        assert attempt.paid_at is not None
        return Paid(
            leg_id=self.instruction.leg_id,
            reference=attempt.reference,
            receipt=attempt.receipt,
            amount=self.instruction.amount,
            paid_at=attempt.paid_at,
            resolved_by=attempt.resolved_by,
        )
