"""The pivot of money in: one place that asks a payer, and never asks twice for one payment.

    store the prompt ─► send once ─► wait for the callback ─► query on a schedule ─► wait for evidence ─► expire
                          │ known not sent: the same prompt again
                          └ anything else: never a second prompt, since the payer may have answered the first

A payment is believed when it names a receipt: by the prompt's callback, or by a channel that announces payments (a paybill
confirmation, a bank's push, a pull). A query's word alone books nothing: its "failed" may come while the payment is in
flight, its "paid" names no receipt (daraja.md 6, bank_ncba.md 3).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.saga.prompts import Prompts
    from models.messages.saga.arrived_payments import ArrivedPayment
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.policies import PromptPolicy
    from models.messages.saga.prompts import Collected, PromptInstruction, QueryPrompt, SendPrompt, Uncollected
    from models.messages.saga.reports import Report
    from models.messages.saga.status import LegStatus
    from workflows.saga.attempts import Effect, LegEvent
    from workflows.saga.base import Saga
    from workflows.saga.failures import facts_of
    from workflows.saga.rails import RAILS


class CollectionLeg:
    """Asks one payer for one payment. The saga composes it, passes it what is reported, and reads its end."""

    def __init__(
        self,
        saga: Saga,
        instruction: PromptInstruction,
        policy: PromptPolicy,
        record: Callable[[LegEvent], Awaitable[None]],
        *,
        stage: str = "prompting",
    ) -> None:
        """`stage` is what the saga shows while the leg runs."""
        self.saga, self.instruction, self.policy, self.record = saga, instruction, policy, record
        self.stage = stage
        self.reference = f"{instruction.leg_id}-p1"
        self.outcome: Collected | Uncollected | None = None
        self.provider_reference: str | None = None
        self.may_have_left = False
        self.in_review = False
        self.last_said: str | None = None
        self.begun_at = workflow.now()
        self.send_by: datetime | None = None
        self._queried_at: datetime | None = None
        self._query_said: str | None = None
        self._querying = False
        self._query_now = False
        self._next_wait: timedelta | None = None  # after the next query
        self._failures_in_a_row = 0
        self._query_said_paid = False
        self._awaiting_confirmation: Report | None = None

    # ------------------------------------------------------------------------------------------------ the business

    async def run(self) -> Collected | Uncollected:
        """Until a payment is known, known not to come, or nobody said anything for long enough."""
        if await self._prompt():
            await self._learn()
        if self.outcome is None and self._query_said_paid:
            await self._review()
        if self.outcome is None:
            await self._wait_for_evidence()
        if self.outcome is None:
            self._end("no_answer", "Nobody said whether the payer paid; a payment that turns up is booked then.", False)
        assert self.outcome is not None
        return self.outcome

    async def _prompt(self) -> bool:
        """True if the prompt may have left."""
        for wait in (*self.policy.resend_after, None):
            if await self._send():
                return self.outcome is None
            if wait is None:
                self._end("not_reached", "The provider could not be reached; nobody was asked.", True)
                break
            await self.saga.until(
                lambda: self.outcome or self.saga.cancel_wanted,
                timeout=wait,
                waiting_for="the provider to be reachable; nobody was asked yet",
            )
            if self.saga.cancel_wanted and self.outcome is None:
                self._end("cancelled", "It was cancelled before anybody was asked.", True)
            if self.outcome:
                break
        return False

    async def _send(self) -> bool:
        """Sends once. False only if it is known that no prompt left; every doubt counts as sent."""
        self.may_have_left = True
        self.send_by = workflow.now() + self.policy.send_within
        try:
            sent = await workflow.execute_activity_method(
                Prompts.send,
                SendPrompt(
                    instruction=self.instruction,
                    reference=self.reference,
                    begun_at=self.begun_at,
                    send_by=self.send_by,
                    query_at=self._later(next(iter(self.policy.query_after), None)),
                ),
                summary="ask the payer",
                **RAILS[self.instruction.provider].send.options(),
            )
            self.provider_reference = sent.provider_reference
        except ActivityError as error:
            facts = facts_of(error)
            self.last_said = facts.detail
            if self.outcome is not None:  # a report overtook the answer, and knows better
                return True
            if facts.kind == "transient":
                self.may_have_left = False
                return False
            if facts.kind == "rejected":
                self.may_have_left = False
                self._end(facts.code, facts.detail, True)
        return True

    async def _learn(self) -> None:
        """Waits for the callback, and queries on a schedule. Failures are believed at its end only, and only if enough of
        the last answers agree and none ever said that the payer paid."""
        waits = self.policy.query_after
        for wait, self._next_wait in zip(waits, (*waits[1:], None), strict=True):
            ends = workflow.now() + wait
            # A person's own question, and one that a doubtful callback asks for, use up none of the schedule.
            while self.outcome is None and workflow.now() < ends:
                asked_for = await self.saga.until(
                    lambda: self.outcome or self._query_now,
                    timeout=ends - workflow.now(),
                    waiting_for="the payer to answer the prompt",
                )
                if self.outcome or (asked_for and await self._query()):
                    return
            if self.outcome or await self._query():
                return
        if self._failures_in_a_row >= self.policy.failures_to_believe and not self._query_said_paid:
            self._end("not_paid", self.last_said or "The provider says that the payer did not pay.", True)

    async def _query(self) -> bool:
        self._query_now, self._querying, self._query_said = False, True, None
        try:
            asked = await workflow.execute_activity_method(
                Prompts.query,
                QueryPrompt(
                    instruction=self.instruction,
                    reference=self.reference,
                    begun_at=self.begun_at,
                    again_at=self._later(self._next_wait),
                ),
                summary="did the payer pay?",
                **RAILS[self.instruction.provider].query.options(),
            )
        except ActivityError:
            return self.outcome is not None  # no answer proves nothing; the schedule goes on
        finally:
            self._querying = False
        self._queried_at = workflow.now()
        self._query_said = asked.report.state if asked.report else None
        if asked.never_sent:
            self.may_have_left = False
            self._end("never_sent", "The prompt never left; it is fenced off.", True)
        elif asked.report is not None:
            _, event = self.apply(asked.report)
            if event:
                await self.record(event)
        return self.outcome is not None

    @staticmethod
    def _later(wait: timedelta | None) -> datetime | None:
        return None if wait is None else workflow.now() + wait

    async def _wait_for_evidence(self) -> None:
        ends = workflow.now() + self.policy.evidence_within
        while self.outcome is None and workflow.now() < ends:
            if not await self.saga.until(
                lambda: self.outcome or self._query_now,
                timeout=ends - workflow.now(),
                waiting_for="evidence of the payment; the provider did not say what became of the prompt",
            ):
                return
            if self.outcome is None:
                await self._query()

    async def _review(self) -> None:
        """The provider says that the payer paid, and no channel tells under which receipt: a person finds it."""
        self.in_review = True
        self.saga.enter("in_review", searchable=True)
        await self.record(
            LegEvent(
                key=f"{self.reference}:review",
                text="The provider says that the payer paid, but nobody has told the receipt.",
                tone="bad",
                in_review=True,
                facts=self._evidence(),
                case="collection_unknown",
            )
        )
        while self.outcome is None:
            await self.saga.until(
                lambda: self.outcome or self._query_now, waiting_for="the receipt: an announcement, or an operator"
            )
            if self.outcome is None:
                await self._query()
        self.in_review = False

    # ------------------------------------------------------------------------------------------------- the messages

    def knows(self, reference: str | None) -> bool:
        return reference == self.reference

    def apply(self, report: Report) -> tuple[Effect, LegEvent | None]:
        """Weighs a report on the prompt: what it changed, and what must be written down about it."""
        self.provider_reference = self.provider_reference or report.provider_reference
        if self.outcome is not None:
            return self._compare(report)
        self.last_said = report.detail or report.code
        if report.state == "paid":
            return self._apply_success(report)
        if report.state == "failed" and report.source == "callback":
            self._end(report.code, report.detail, True)
            return "settled", None
        self._failures_in_a_row = self._failures_in_a_row + 1 if report.state == "failed" else 0
        self._query_now = self._query_now or (report.state == "unclear" and report.source == "callback")
        return "noted", None

    def apply_payment(self, payment: ArrivedPayment) -> None:
        """A channel announced the payment itself: that settles it."""
        self.outcome = Collected(
            leg_id=self.instruction.leg_id,
            receipt=payment.external_id,
            amount=payment.amount,
            paid_at=payment.happened_at,
            incoming_id=payment.incoming_id,
        )

    def query_again(self) -> None:
        """A person wants to know now."""
        self._query_now = True

    def may_be_decided(self, decision: str) -> str | None:
        """Why a person may not say "paid" or "not_paid" of this prompt now; None if it may be said. That a payer paid can be
        known at any time; that none did, only once the prompt can no longer be answered and a query after that said
        neither paid nor pending."""
        if self.outcome is not None or not self.may_have_left or self.send_by is None:
            return "Its outcome is known, or nobody was asked."
        if decision == "paid":
            return None
        ends = self.send_by + self.policy.settlement_window
        if workflow.now() < ends:
            return (
                f"Until {ends:%Y-%m-%d %H:%M:%S} UTC it may still be answered; nobody can say before that it was not."
            )
        if self._querying or self._queried_at is None or self._queried_at < ends:
            return "The provider has not been asked since it can no longer be answered; ask it first (retry)."
        if self._query_said in ("paid", "pending"):
            return f"The provider's last answer was “{self._query_said}”."
        return None

    def resolve(self, resolution: Resolution) -> None:
        """A person decides, with evidence. The caller has asked `may_be_decided`."""
        if resolution.decision == "paid":
            assert resolution.receipt is not None
            self.outcome = Collected(
                leg_id=self.instruction.leg_id,
                receipt=resolution.receipt,
                amount=self.instruction.amount,
                paid_at=resolution.paid_at or workflow.now(),
                resolved_by=resolution.decided_by,
            )
        else:
            self._end("resolved_not_paid", resolution.evidence, True)

    @property
    def ended(self) -> bool:
        return self.outcome is not None

    @property
    def question(self) -> str | None:
        """The prompt that may have been paid and whose outcome nobody has told."""
        return self.reference if self.outcome is None and self.may_have_left else None

    @property
    def summary(self) -> str:
        """One line for the Temporal UI."""
        return f"prompt for {self.instruction.amount}: {self.status.state}"

    @property
    def status(self) -> LegStatus:
        done = self.outcome
        state = (
            "collected" if isinstance(done, Collected) else "not collected" if done
            else "in_review" if self.in_review else "asked"
        )  # fmt: skip
        return LegStatus(
            leg_id=self.instruction.leg_id,
            amount=self.instruction.amount,
            to=self.instruction.msisdn.masked,
            state=state,
            reference=self.reference,
            receipt=done.receipt if isinstance(done, Collected) else None,
            attempts=1,
            last_said=self.last_said,
        )

    # -------------------------------------------------------------------------------------------------- small rules

    def _apply_success(self, report: Report) -> tuple[Effect, LegEvent | None]:
        fits = report.amount in (None, self.instruction.amount) and report.party_digits in (
            None,
            self.instruction.msisdn.digits,
        )
        if not fits:
            self._query_now = True
            return "contradicts", self._contradiction(report, "does not fit what was asked for")
        if report.source == "query":
            self._query_said_paid, self._failures_in_a_row = True, 0
            report = self._awaiting_confirmation or report
        elif self._needs_confirmation(report):
            self._awaiting_confirmation, self._query_now = report, True
            return "noted", None
        if report.receipt is None:
            return "noted", None
        self.outcome = Collected(
            leg_id=self.instruction.leg_id,
            receipt=report.receipt,
            amount=self.instruction.amount,
            paid_at=report.happened_at or workflow.now(),
        )
        return "settled", None

    def _needs_confirmation(self, report: Report) -> bool:
        """A callback carries no signature: a large success, and one that does not say how much came from whom, is believed
        only once a query agrees."""
        limit = self.policy.confirm_from_minor
        large = limit is not None and self.instruction.amount.minor >= limit
        silent = report.amount is None or report.party_digits is None
        return (large or silent) and not self._query_said_paid

    def _compare(self, report: Report) -> tuple[Effect, LegEvent | None]:
        """A report that comes after the outcome. A paid prompt whose saga gave up is news of money: it is told to the
        caller as a contradiction, and its payment is taken in by a saga of its own."""
        if report.state in ("pending", "unclear"):
            return "noted", None
        done = self.outcome
        if isinstance(done, Collected):
            agrees = (
                report.state == "paid"
                and report.receipt in (None, done.receipt)
                and report.amount in (None, done.amount)
            )
        else:
            agrees = report.state == "failed"
        if agrees:
            return "agrees", None
        return "contradicts", self._contradiction(report, "contradicts the recorded outcome")

    def _contradiction(self, report: Report, why: str) -> LegEvent:
        key = f"{self.reference}:contradiction:{report.state}:{report.code}:{report.receipt or '-'}"
        return LegEvent(
            key=key,
            text=f"A report of “{report.state}” {why}.",
            tone="bad",
            code=report.code,
            facts={**self._evidence(), "reported": report.state, "reported_receipt": report.receipt or "-"},
            case="collection_contradiction",
            about=key,
        )

    def _evidence(self) -> dict[str, str]:
        return {
            "reference": self.reference,
            "provider_reference": self.provider_reference or "-",
            "payer_reference": self.instruction.payer_reference,
            "amount": str(self.instruction.amount),
            "payer": self.instruction.msisdn.masked,
            "said": self.last_said or "nothing",
        }

    def _end(self, code: str, detail: str, certain: bool) -> None:
        self.outcome = Uncollected(leg_id=self.instruction.leg_id, code=code, detail=detail, certain=certain)
