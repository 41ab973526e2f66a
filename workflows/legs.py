"""The pivot of a saga: one place that pays and never pays twice.

    make a reference ─► store it ─► send once ─► wait for the report ─► ask on a schedule ─► a person decides
                                      │ known not sent: the same reference again
                                      │ known failed: a new reference, if the reason allows it and a status answer agrees
                                      └ anything else: never sent again

The first report wins. A later one that contradicts it changes nothing, except that "paid" outranks a recorded failure
while no newer attempt exists; either way a case is opened (daraja.md 14.7).
"""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from models.messages.payouts import (
        AskStatus,
        Paid,
        PayoutInstruction,
        PayoutReport,
        PreviousFailure,
        Resolution,
        SendPayout,
        Unpaid,
    )
    from models.messages.policies import PayoutPolicy
    from models.messages.sagas import LegStatus
    from workflows.attempts import Attempt, Effect, LegNote, contradiction, evidence
    from workflows.failures import facts_of
    from workflows.rails import RAILS
    from workflows.saga import Saga

NEVER_SENT: Final = "never_sent"


class PayoutLeg:
    """Pays one instruction. The saga composes it, passes it the reports that name it, and reads its end."""

    def __init__(
        self,
        saga: Saga,
        instruction: PayoutInstruction,
        policy: PayoutPolicy,
        note: Callable[[LegNote], Awaitable[None]],
        *,
        stage: str = "paying",
        cancellable: bool = True,
    ) -> None:
        """`stage` is what the saga shows while the leg runs. A leg that must finish (money on its way back) is not
        `cancellable`."""
        self.saga, self.instruction, self.policy, self.note = saga, instruction, policy, note
        self.stage, self.cancellable = stage, cancellable
        self.rail = RAILS[instruction.provider]
        self.attempts: list[Attempt] = []
        self.in_review = False
        self.ended = False
        self._retry_now = False

    # ------------------------------------------------------------------------------------------------ the business

    async def run(self) -> Paid | Unpaid:
        """Until the money is known to have gone, or known not to have: there is no third end."""
        try:
            for number in count(1):
                attempt = await self._attempt(number)
                if attempt.outcome != "paid" and self._may_try_again(attempt):
                    await self._wait_to_try_again(attempt)
                elif attempt.failure_told and workflow.patched("confirm-the-last-failure"):
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
            )
        finally:
            self.ended = True

    async def _attempt(self, number: int) -> Attempt:
        previous = self.attempts[-1] if self.attempts else None
        attempt = Attempt(f"{self.instruction.leg_id}-a{number}", number)
        self.attempts.append(attempt)
        waits = iter(self.policy.resend_after)
        while not await self._send(attempt, previous):
            wait = next(waits, None)
            if wait is None:
                attempt.fail("not_reached", "The provider could not be reached; nothing was sent.")
                break
            await self.saga.until(
                lambda: attempt.outcome or self._cancelled or self._take_retry(),
                timeout=wait,
                waiting_for="the provider to be reachable; nothing was sent yet",
            )
            if attempt.outcome:
                break
            if self._cancelled:
                attempt.fail("cancelled", "The payout was cancelled before anything was sent.")
                break
        if attempt.outcome is None:
            await self._learn(attempt)
        return attempt

    async def _send(self, attempt: Attempt, previous: Attempt | None) -> bool:
        """Sends once. False only if it is known that nothing left; every doubt counts as sent."""
        order = SendPayout(
            instruction=self.instruction,
            reference=attempt.reference,
            number=attempt.number,
            previous=previous
            and PreviousFailure(reference=previous.reference, code=previous.code or "failed", detail=previous.detail),
        )
        attempt.in_doubt = True
        try:
            accepted = await workflow.execute_activity_method(
                self.rail.send, order, summary=f"attempt {attempt.number}", **self.rail.sending.options()
            )
            attempt.provider_reference = accepted.provider_reference
            if accepted.report is not None:
                await self._hear(accepted.report)
        except ActivityError as error:
            facts = facts_of(error)
            attempt.code, attempt.detail = facts.code, facts.detail
            if attempt.outcome:  # a report overtook the answer, and knows better
                return True
            if facts.kind == "transient":
                attempt.in_doubt = False
                return False
            if facts.kind == "rejected":
                attempt.fail(facts.code, facts.detail)
        return True

    async def _learn(self, attempt: Attempt) -> None:
        """Waits for the report; on silence asks; at the end of the schedule a person is asked, without a deadline."""
        for wait in self.policy.ask_after:
            await self.saga.until(
                lambda: attempt.outcome or attempt.ask_now, timeout=wait, waiting_for="the provider's report"
            )
            if attempt.outcome or await self._ask(attempt):
                return
        await self._review(attempt)

    async def _ask(self, attempt: Attempt) -> bool:
        """Asks the provider what became of the attempt; True if that brought the outcome."""
        attempt.ask_now = False
        try:
            asked = await workflow.execute_activity_method(
                self.rail.ask,
                AskStatus(instruction=self.instruction, reference=attempt.reference, number=attempt.number),
                summary=f"what became of attempt {attempt.number}?",
                **self.rail.asking.options(),
            )
        except ActivityError:
            return attempt.outcome is not None  # no answer proves nothing; the schedule goes on
        if asked.never_sent:
            attempt.fail(NEVER_SENT, "The instruction never left; its reference is fenced off.", retriable=True)
            return True
        if asked.report is not None:
            await self._hear(asked.report)
            return attempt.outcome is not None
        return await self.saga.until(
            lambda: attempt.outcome,
            timeout=self.policy.answer_within,
            waiting_for="the provider's answer to our status question",
        )

    async def _review(self, attempt: Attempt) -> None:
        self.in_review = True
        self.saga.enter("in_review", searchable=True)
        await self.note(
            LegNote(
                key=f"{attempt.reference}:review",
                text="The provider has not said what became of the payout. Nothing is undone; a person must decide.",
                tone="bad",
                in_review=True,
                code=attempt.code,
                facts=evidence(self.instruction, attempt),
                case="payout_unknown",
                tell_partner="payout_in_review",
            )
        )
        while attempt.outcome is None:
            await self.saga.until(
                lambda: attempt.outcome or attempt.ask_now,
                waiting_for="a report, or an operator's decision with evidence",
            )
            if attempt.outcome is None:
                await self._ask(attempt)
        self.in_review = False
        self.saga.enter(self.stage, searchable=True)

    def _may_try_again(self, attempt: Attempt) -> bool:
        return (
            attempt.outcome == "failed"
            and attempt.retriable
            and (attempt.code == NEVER_SENT or self._refusals <= len(self.policy.attempt_again_after))
            and not self._cancelled
        )

    @property
    def _cancelled(self) -> bool:
        return self.cancellable and self.saga.cancel_wanted

    @property
    def _refusals(self) -> int:
        """Attempts that the provider failed. A crash of our own before anything left uses up none of its patience."""
        return sum(a.outcome == "failed" and a.code != NEVER_SENT for a in self.attempts)

    async def _wait_to_try_again(self, attempt: Attempt) -> None:
        never_sent = attempt.code == NEVER_SENT
        wait = self.policy.resend_after[0] if never_sent else self.policy.attempt_again_after[self._refusals - 1]
        await self.note(
            LegNote(
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
        # A failure told by callback alone may be wrong; a new reference is made only if the provider's status answer
        # does not say that the first one was paid after all.
        if attempt.outcome == "failed" and not self._cancelled and not never_sent:
            await self._confirm_failure(attempt)

    async def _confirm_failure(self, attempt: Attempt) -> None:
        attempt.status_said = None
        try:
            asked = await workflow.execute_activity_method(
                self.rail.ask,
                AskStatus(instruction=self.instruction, reference=attempt.reference, number=attempt.number),
                summary=f"did attempt {attempt.number} really fail?",
                **self.rail.asking.options(),
            )
        except ActivityError:
            return
        if asked.report is not None:
            await self._hear(asked.report)
            return
        await self.saga.until(
            lambda: attempt.outcome == "paid" or attempt.status_said,
            timeout=self.policy.answer_within,
            waiting_for="the provider to confirm the failure",
        )

    async def _hear(self, report: PayoutReport) -> None:
        """A report that came as the answer to a call of ours."""
        _, note = self.take(report)
        if note:
            await self.note(note)

    # ------------------------------------------------------------------------------------------------- the messages

    def knows(self, reference: str | None) -> bool:
        return any(attempt.reference == reference for attempt in self.attempts)

    def take(self, report: PayoutReport) -> tuple[Effect, LegNote | None]:
        """Weighs a report: what it changed, and what must be written down about it."""
        attempt = next(a for a in self.attempts if a.reference == report.reference)
        attempt.provider_reference = attempt.provider_reference or report.provider_reference
        if report.state in ("pending", "unclear"):
            if attempt.outcome is None:
                attempt.code, attempt.detail = report.code, report.detail
            attempt.ask_now = attempt.ask_now or (report.state == "unclear" and report.source != "status")
            return "noted", None
        if report.source == "status":
            attempt.status_said = report.state
        if report.state == "paid" and not self._fits(report):
            attempt.ask_now = attempt.outcome is None
            return "contradicts", contradiction(self.instruction, attempt, report, "does not fit what was asked")
        if attempt.outcome is None:
            if self._needs_confirmation(report):
                attempt.ask_now = True
                attempt.detail = f"A callback says paid, receipt {report.receipt}; the status answer must agree."
                return "noted", None
            self._settle(attempt, report)
            return "settled", None
        if attempt.outcome == report.state:
            return "agrees", None
        why = f"contradicts the recorded outcome ({attempt.outcome})"
        note = contradiction(self.instruction, attempt, report, why)
        if report.state == "paid" and attempt is self.attempts[-1] and not self.ended:
            self._settle(attempt, report)  # the money is out: no new attempt may be made
        return "contradicts", note

    def ask_again(self) -> None:
        """A person wants to go on now: ask the status, or make the next attempt, instead of waiting."""
        self._retry_now = True
        if self.attempts and self.attempts[-1].outcome is None:
            self.attempts[-1].ask_now = True

    def resolve(self, resolution: Resolution) -> None:
        """A person decides, with evidence. The caller has checked that the leg is in review."""
        attempt = self.attempts[-1]
        attempt.resolved_by = resolution.decided_by
        if resolution.decision == "paid":
            attempt.outcome, attempt.code, attempt.detail = "paid", "resolved", resolution.evidence
            attempt.receipt = resolution.receipt
            attempt.paid_at = resolution.paid_at or workflow.now()
        else:
            attempt.fail("resolved_not_paid", resolution.evidence)

    @property
    def may_have_left(self) -> bool:
        """True from the moment of sending until the money is known not to have gone."""
        return any(a.outcome == "paid" or (a.outcome is None and a.in_doubt) for a in self.attempts)

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

    def _settle(self, attempt: Attempt, report: PayoutReport) -> None:
        if report.state == "paid":
            attempt.outcome, attempt.code, attempt.detail = "paid", report.code, report.detail
            attempt.receipt = report.receipt
            attempt.paid_at = report.happened_at or workflow.now()
        else:
            # What a person must mend first (a locked credential) may be tried again too: the sending activity holds
            # back while the connection is blocked.
            attempt.fail(report.code, report.detail, retriable=report.retriable or report.operator_needed)
            attempt.failure_told = report.source == "callback"

    def _fits(self, report: PayoutReport) -> bool:
        """A success counts only if it names a receipt, and our amount and party where it names them at all."""
        phone = self.instruction.msisdn
        return (
            report.receipt is not None
            and report.amount in (None, self.instruction.amount)
            and (phone is None or report.party_digits in (None, phone.digits))
        )

    def _needs_confirmation(self, report: PayoutReport) -> bool:
        limit = self.policy.confirm_from_minor
        return (
            report.state == "paid"
            and report.source == "callback"
            and limit is not None
            and self.instruction.amount.minor >= limit
        )

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
