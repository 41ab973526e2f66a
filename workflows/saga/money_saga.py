"""The base of every saga: legs of either direction, payments that arrive, a posting step; what providers and people may
tell it, and how it answers. A saga's own file says its business and what is particular to its decisions."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.saga.records import Records
    from models.messages.errors import ErrorFacts
    from models.messages.saga.arrived_payments import ArrivedPayment, PaymentTaken
    from models.messages.saga.decisions import CommandTaken, Resolution, RetryNow
    from models.messages.saga.payouts import Paid, PayoutInstruction, Unpaid
    from models.messages.saga.policies import PayoutPolicy, PromptPolicy
    from models.messages.saga.prompts import Collected, PromptInstruction, Uncollected
    from models.messages.saga.reports import Report, ReportTaken
    from models.messages.saga.status import CaseToOpen, Notice, Offer, SagaRequest, SagaStatus, TimelineEvent, Tone
    from workflows.saga import policies
    from workflows.saga.attempts import LegEvent
    from workflows.saga.base import EndsUnpaid, Order
    from workflows.saga.collection_leg import CollectionLeg
    from workflows.saga.decisions import APPROVAL, Choice, DecidingSaga
    from workflows.saga.leg import Leg
    from workflows.saga.payout_leg import PayoutLeg
    from workflows.saga.posting_step import PostingStep

# By stage as well as by what it waits for: a row says "in review" a moment before its saga begins to wait.
_WAITING_STAGES = frozenset(
    {"waiting_funds", "waiting_limit", "waiting_date", "waiting_account", "in_review", "post_review", APPROVAL}
)


class MoneySaga(DecidingSaga):
    """`payments` is what is known to have gone out, `payment` what came in; while `open` is true one may arrive."""

    # What a second person must agree to, of what became of a leg. That money did not move frees a second movement (A7).
    two_people_say: frozenset[str] = frozenset({"not_paid"})

    def __init__(self, request: SagaRequest) -> None:
        super().__init__()
        self.workflow_id, self.partner_id = request.workflow_id, request.partner_id
        self.legs: list[Leg] = []
        self.payments: list[Paid] = []
        self.payment: ArrivedPayment | None = None
        self.open = False
        self.posting: PostingStep[Any] | None = None
        self._retry_wanted = False

    # ------------------------------------------------------------------------------------------------------- the legs

    async def pay(
        self,
        instruction: PayoutInstruction,
        policy: PayoutPolicy,
        *,
        stage: str = "paying",
        cancellable: bool = True,
        still_wanted: Callable[[], Awaitable[bool]] | None = None,
        after: Unpaid | None = None,
    ) -> Paid | Unpaid:
        """One movement of money out, to its known end; see `PayoutLeg`."""
        leg = PayoutLeg(
            self,
            instruction,
            policy,
            self.record_leg,
            stage=stage,
            cancellable=cancellable,
            still_wanted=still_wanted,
            after=after,
        )
        self.legs.append(leg)
        outcome = await leg.run()
        if isinstance(outcome, Paid):
            self.payments.append(outcome)
        return outcome

    async def prompt(self, instruction: PromptInstruction, policy: PromptPolicy) -> Collected:
        """Prompts the payer and waits for the payment. Raises EndsUnpaid: "withdrawn", "failed" (none came), "expired"."""
        self.enter("prompting")
        leg = CollectionLeg(self, instruction, policy, self.record_leg)
        self.legs.append(leg)
        self.open = True
        outcome = await leg.run()
        self.open = False
        if isinstance(outcome, Uncollected):
            ending = "withdrawn" if outcome.code == "cancelled" else "failed" if outcome.certain else "expired"
            raise EndsUnpaid(ending, outcome.code, outcome.detail)
        return outcome

    @property
    def leg(self) -> Leg | None:
        """The one that moves money now, or did so last."""
        return self.legs[-1] if self.legs else None

    @property
    def money_may_have_moved(self) -> bool:
        return bool(self.payments) or self.payment is not None or any(leg.may_have_left for leg in self.legs)

    def retry_taken(self) -> bool:
        """True once per `retry`, and always once somebody wants to cancel while no money has moved."""
        wanted, self._retry_wanted = self._retry_wanted, False
        return wanted or (self.cancel_wanted and not self.money_may_have_moved)

    def forget_retry(self) -> None:
        """Before a wait that sends money: a `retry` of an earlier wait, which nobody took, is not meant for it."""
        self._retry_wanted = False

    # -------------------------------------------------------------------------------------------------------- its end

    async def end_well(
        self,
        activity: Callable[[Any, Order], Awaitable[Any]],
        order: Order,
        summary: str,
        policy: policies.ActivityPolicy = policies.BOOKS,
    ) -> None:
        self.enter("settling")
        await self.step(activity, order, summary, policy)
        self.reason = None
        self.enter("completed", searchable=True)

    async def end_unpaid(
        self, end: EndsUnpaid, activity: Callable[[Any, Order], Awaitable[Any]], order: Order, summary: str
    ) -> None:
        """Undoes what was done and says why. Harmless if there is nothing to undo."""
        self.open = False
        await self.step(activity, order, summary)
        self.reason = ErrorFacts(kind="rejected", code=end.code, detail=end.detail)
        self.enter(end.ending, searchable=True)

    # -------------------------------------------------------------------------------------------------- the timeline

    async def record(
        self,
        key: str,
        text: str,
        *,
        tone: Tone = "info",
        stage: str | None = None,
        code: str | None = None,
        facts: dict[str, str] | None = None,
        again_at: datetime | None = None,
        case: CaseToOpen | None = None,
        notice: Notice | None = None,
    ) -> None:
        """A line in the timeline, once per `key`; with it, as asked, a stage, when it goes on by itself, a case, a word to
        the partner."""
        event = TimelineEvent(
            workflow_id=self.workflow_id,
            partner_id=self.partner_id,
            key=key,
            text=text,
            tone=tone,
            stage=stage,
            code=code,
            facts=facts or {},
            again_at=again_at,
            case=case,
            notice=notice,
        )
        await self.step(Records.record, event, f"record {key.rpartition(':')[2]}")

    async def record_leg(self, event: LegEvent) -> None:
        await self.record(
            event.key,
            event.text,
            tone=event.tone,
            stage=self.shown("in_review") if event.in_review else None,
            code=event.code,
            facts=event.facts,
            again_at=event.again_at,
            case=CaseToOpen(kind=event.case, summary=event.text, about=event.about) if event.case else None,
            notice=self.notice_of_review(event) if event.in_review else None,
        )

    def notice_of_review(self, event: LegEvent) -> Notice | None:
        """What the partner hears when a person must find out what became of its money."""
        return None

    # ---------------------------------------------------------------------------------------------- people's decisions

    @property
    def question(self) -> str | None:
        in_doubt = self.leg.question if self.leg else None
        return in_doubt or (self.posting.question if self.posting else None) or self.other_question

    @property
    def other_question(self) -> str | None:
        """What a person decides besides the outcome of a leg and a posting."""
        return None

    @property
    def stage_without_proposal(self) -> str:
        """A proposal is about the last leg, whose stages are these two."""
        assert self.leg is not None
        return "in_review" if self.leg.in_review and self.leg.question else self.leg.stage

    def decisions(self) -> dict[str, Choice]:
        """What became of a leg in doubt, and that a posting was made by hand. A saga adds its own."""
        choices: dict[str, Choice] = {}
        if self.leg is not None and self.leg.question:
            for word in ("paid", "not_paid"):
                check = partial(_check_outcome, self.leg)
                choices[word] = Choice(
                    self.leg.resolve,
                    two_people=word in self.two_people_say,
                    check=check,
                    refused=self.leg.may_be_decided(word),
                )
        if self.posting is not None and self.posting.question:
            choices["posted"] = Choice(self.posting.resolve)
        return choices

    # -------------------------------------------------------------------------------------------------- the messages

    @workflow.update(name="report")
    async def report(self, report: Report) -> ReportTaken:
        """A provider's report. Update id: `cb:<provider>:<external id>`, so a duplicate gets the first answer."""
        leg = next(leg for leg in self.legs if leg.knows(report.reference))
        effect, event = leg.apply(report)
        if event:
            await self.record_leg(event)
        return ReportTaken(effect=effect, stage=self.stage)

    @report.validator
    def _report_is_ours(self, report: Report) -> None:
        if not any(leg.knows(report.reference) for leg in self.legs):
            raise ApplicationError("No leg of this saga has that reference.", type="unknown_reference")

    @workflow.update(name="payment_arrived")
    async def payment_arrived(self, payment: ArrivedPayment) -> PaymentTaken:
        """A channel announced a payment that names this saga. Update id: `in:<incoming id>`. "refused": it is another
        payment than the one that this saga took, or came after its end."""
        receipt = self._collected_receipt()
        if receipt is not None:
            return PaymentTaken(effect="agrees" if receipt == payment.external_id else "refused", stage=self.stage)
        if not self.open:
            return PaymentTaken(effect="refused", stage=self.stage)
        self.payment = payment
        if isinstance(self.leg, CollectionLeg):
            self.leg.apply_payment(payment)
        return PaymentTaken(effect="settled", stage=self.stage)

    @workflow.update(name="retry")
    async def retry(self, command: RetryNow) -> CommandTaken:
        """Go on at once instead of at the end of a wait: query, make the next attempt, look up or post again."""
        if self.leg is not None and not self.leg.ended:
            self.leg.query_again()
        else:
            self._retry_wanted = True
        return CommandTaken(stage=self.stage, at=workflow.now())

    @retry.validator
    def _retry_while_waiting(self, command: RetryNow) -> None:
        if self.waiting_for is None and self.stage not in _WAITING_STAGES:
            raise ApplicationError(f"Nothing is waiting at the stage “{self.stage}”.", type="wrong_stage")

    @workflow.update(name="cancel_request")
    async def cancel_request(self, command: RetryNow) -> CommandTaken:
        """Stop, if no money can have moved yet."""
        self.cancel_wanted = True
        return CommandTaken(stage=self.stage, at=workflow.now())

    @cancel_request.validator
    def _cancel_before_the_pivot(self, command: RetryNow) -> None:
        if self.money_may_have_moved:
            raise ApplicationError("Money may have moved already; it cannot be cancelled.", type="wrong_stage")

    @property
    def commands_now(self) -> list[Offer]:
        """Retry and cancel, with what their validators would say."""
        return [
            Offer(word=word, refused=_refusal_of(check))
            for word, check in (("retry", self._retry_while_waiting), ("cancel", self._cancel_before_the_pivot))
        ]

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
            offers=(*self.commands_now, *self.decisions_now),
        )

    def details(self) -> list[str]:
        lines = [f"- {leg.summary}" for leg in self.legs]
        if self.payment:
            lines.append(f"- {self.payment.amount} came in as `{self.payment.external_id}`")
        if self.reason:
            lines.append(f"- last obstacle: `{self.reason.code}` {self.reason.detail}")
        return lines

    def _collected_receipt(self) -> str | None:
        """The receipt of the payment that came in, if one did."""
        if self.payment is not None:
            return self.payment.external_id
        prompted = (leg.status.receipt for leg in self.legs if isinstance(leg, CollectionLeg))
        return next((receipt for receipt in prompted if receipt is not None), None)


def _refusal_of(check: Callable[[RetryNow], None]) -> str | None:
    try:
        check(RetryNow(actor="-"))
    except ApplicationError as error:
        return error.message
    return None


def _check_outcome(leg: Leg, said: Resolution) -> None:
    """Raises ApplicationError unless a person may say now what became of the leg: "too_early", "receipt_missing"."""
    if refusal := leg.may_be_decided(said.decision):
        raise ApplicationError(refusal, type="too_early")
    if said.decision == "paid" and not said.receipt:
        raise ApplicationError("Money is said to have moved only with its receipt.", type="receipt_missing")
