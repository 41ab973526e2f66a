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
from datetime import timedelta
from itertools import chain, count, repeat

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.saga.payouts import Payouts
    from models.messages.saga.payouts import (
        Paid,
        PayoutInstruction,
        PreviousFailure,
        SendPayout,
        Unpaid,
    )
    from models.messages.saga.policies import PayoutPolicy
    from workflows.saga.attempts import Attempt, LegEvent, evidence
    from workflows.saga.base import EndsUnpaid, Saga
    from workflows.saga.failures import facts_of
    from workflows.saga.payout_inquiry import NEVER_SENT, PayoutInquiry
    from workflows.saga.weighing import FOR_A_PERSON


class PayoutLeg(PayoutInquiry):
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
        """A leg that must finish (money on its way back) is not `cancellable`. `still_wanted` looks again before each send
        that had to wait: False for "nobody can say yet", EndsUnpaid for what is no longer to be paid. `after` is how the leg
        before ended, where a part is paid anew."""
        super().__init__(saga, instruction, policy, record, stage)
        self.cancellable, self.still_wanted = cancellable, still_wanted
        self._ending: str | None = None
        self._before = after and after.reference and PreviousFailure(
            reference=after.reference, code=after.code, detail=after.detail[:500]
        )  # fmt: skip

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
            query_at=self._later(next(iter(self.policy.query_after), None)),
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
                    again_at=self._later(wait),
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
                again_at=self._later(wait),
            )
        )
        await self.saga.until(
            lambda: attempt.outcome == "paid" or self._take_retry() or self._cancelled,
            timeout=wait,
            waiting_for="the time of the next attempt",
        )

    @property
    def _cancelled(self) -> bool:
        return self.cancellable and self.saga.cancel_wanted

    @property
    def _refusals(self) -> int:
        """Attempts that the provider failed. A crash of our own before anything left uses up none of its patience."""
        return sum(a.outcome == "failed" and a.code != NEVER_SENT for a in self.attempts)

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
