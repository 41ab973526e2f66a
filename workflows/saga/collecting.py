"""A saga that money comes into: what providers and operators may tell it, and how it answers."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.saga.records import SagaBooks
    from models.messages.errors import ErrorFacts
    from models.messages.saga.arrived_payments import ArrivedPayment, PaymentTaken
    from models.messages.saga.decisions import CommandTaken, Resolution, RetryNow
    from models.messages.saga.policies import PromptPolicy
    from models.messages.saga.prompts import Collected, PromptInstruction, Uncollected
    from models.messages.saga.reports import Report, ReportTaken
    from models.messages.saga.status import CaseToOpen, Progress, SagaStatus
    from workflows.saga import policies
    from workflows.saga.attempts import LegNote
    from workflows.saga.base import EndsUnpaid
    from workflows.saga.collection_leg import CollectionLeg
    from workflows.saga.decisions import DecidingSaga
    from workflows.saga.failures import facts_of


def collected_from(payment: ArrivedPayment, leg_id: str) -> Collected:
    """A payment that some channel announced, as what came in."""
    return Collected(
        leg_id=leg_id,
        receipt=payment.external_id,
        amount=payment.amount,
        paid_at=payment.happened_at,
        incoming_id=payment.incoming_id,
    )


class CollectingSaga(DecidingSaga):
    """The base of every saga that waits for money. `payment` is what arrived; while `open` is true one may arrive."""

    workflow_id: str
    partner_id: str
    # What a person may decide about a prompt in review.
    review_actions: tuple[str, ...] = ("paid", "not_paid", "approve", "decline")

    def __init__(self) -> None:
        super().__init__()
        self.leg: CollectionLeg | None = None
        self.payment: ArrivedPayment | None = None
        self.open = False
        self.reason: ErrorFacts | None = None
        self.retry_wanted = False

    def new_leg(self, instruction: PromptInstruction, policy: PromptPolicy) -> CollectionLeg:
        self.leg = CollectionLeg(self, instruction, policy, self.note_leg)
        self.open = True
        return self.leg

    async def ask(self, instruction: PromptInstruction, policy: PromptPolicy) -> Collected:
        """Asks the payer, and waits for the payment."""
        self.enter("asking")
        outcome = await self.new_leg(instruction, policy).run()
        self.open = False
        if isinstance(outcome, Uncollected):
            ending = "withdrawn" if outcome.code == "cancelled" else "failed" if outcome.certain else "expired"
            raise EndsUnpaid(ending, outcome.code, outcome.detail)
        return outcome

    def take_wish(self) -> bool:
        """True once per `retry`."""
        wanted, self.retry_wanted = self.retry_wanted, False
        return wanted

    # ---------------------------------------------------------------------------------------------- people's decisions

    @property
    def unknown_prompt(self) -> str | None:
        """The prompt that may have been paid and whose outcome nobody has told."""
        leg = self.leg
        return leg.reference if leg is not None and leg.outcome is None and leg.may_have_left else None

    @property
    def question(self) -> str | None:
        return self.unknown_prompt or self.other_question

    @property
    def other_question(self) -> str | None:
        """What a person decides besides the outcome of a prompt."""
        return None

    @property
    def stage_without_proposal(self) -> str:
        return "in_review" if self.leg is not None and self.leg.in_review else "asking"

    def judge_outcome(self, said: Resolution) -> None:
        """Raises ApplicationError unless a person may say now what became of the prompt."""
        if self.leg is None or self.unknown_prompt is None:
            self.refuse(said)
        if refusal := self.leg.may_be_decided(said.decision):
            raise ApplicationError(refusal, type="too_early")
        if said.decision == "paid" and not said.receipt:
            raise ApplicationError("A payment is resolved as paid only with its receipt.", type="receipt_missing")

    # ------------------------------------------------------------------------------------------------- the timeline

    async def note(self, progress: Progress) -> None:
        await workflow.execute_activity_method(SagaBooks.note, progress, **policies.BOOKS.options())

    async def note_leg(self, note: LegNote) -> None:
        may_decide = self.review_actions if note.case == "collection_unknown" else ()
        about = note.key if note.case == "collection_contradiction" else None
        await self.note(
            Progress(
                workflow_id=self.workflow_id,
                partner_id=self.partner_id,
                key=note.key,
                text=note.text,
                tone=note.tone,
                stage=self.shown("in_review") if note.in_review else None,
                code=note.code,
                facts=note.facts,
                case=note.case and CaseToOpen(kind=note.case, summary=note.text, actions=may_decide, about=about),
            )
        )

    def failed(self, error: ActivityError) -> ErrorFacts:
        """Remembers why a step failed."""
        self.reason = facts_of(error)
        return self.reason

    # -------------------------------------------------------------------------------------------------- the messages

    @workflow.update(name="report")
    async def report(self, report: Report) -> ReportTaken:
        """A provider's report on the prompt. Update id: `cb:<provider>:<external id>`."""
        assert self.leg is not None
        effect, note = self.leg.take(report)
        if note:
            await self.note_leg(note)
        return ReportTaken(effect=effect, stage=self.stage)

    @report.validator
    def _prompt_is_ours(self, report: Report) -> None:
        if self.leg is None or not self.leg.knows(report.reference):
            raise ApplicationError("No prompt of this saga has that reference.", type="unknown_reference")

    @workflow.update(name="payment_arrived")
    async def payment_arrived(self, payment: ArrivedPayment) -> PaymentTaken:
        """A channel announced a payment that names this saga. Update id: `in:<incoming id>`. "refused": it is another
        payment than the one that this saga took, or came after its end."""
        receipt = self._receipt()
        if receipt is not None:
            return PaymentTaken(effect="agrees" if receipt == payment.external_id else "refused", stage=self.stage)
        if not self.open:
            return PaymentTaken(effect="refused", stage=self.stage)
        self.payment = payment
        if self.leg is not None:
            self.leg.take_payment(payment)
        return PaymentTaken(effect="settled", stage=self.stage)

    @workflow.update(name="retry")
    async def retry(self, wish: RetryNow) -> CommandTaken:
        """Go on at once instead of at the end of a wait: query, look up or post again."""
        if self.leg is not None and self.leg.outcome is None:
            self.leg.ask_again()
        else:
            self.retry_wanted = True
        return CommandTaken(stage=self.stage, at=workflow.now())

    @retry.validator
    def _retry_while_waiting(self, wish: RetryNow) -> None:
        if self.waiting_for is None:
            raise ApplicationError(f"Nothing is waiting at the stage “{self.stage}”.", type="wrong_stage")

    @workflow.update(name="cancel_request")
    async def cancel_request(self, wish: RetryNow) -> CommandTaken:
        """Stop, if nobody was asked and nothing came in."""
        self.cancel_wanted = True
        return CommandTaken(stage=self.stage, at=workflow.now())

    @cancel_request.validator
    def _cancel_before_anything_came(self, wish: RetryNow) -> None:
        if self._receipt() is not None or (self.leg is not None and self.leg.may_have_left):
            raise ApplicationError("The payer may have paid already; it cannot be cancelled.", type="wrong_stage")

    @workflow.query(name="status")
    def status(self) -> SagaStatus:
        return SagaStatus(
            stage=self.stage,
            waiting_for=self.waiting_for,
            since=self.since,
            legs=(self.leg.status,) if self.leg else (),
            reason_code=self.reason.code if self.reason else None,
            reason=self.reason.detail if self.reason else None,
            question=self.question,
            proposal=self.proposal,
        )

    def details(self) -> list[str]:
        lines = [f"- prompt for {leg.amount}: {leg.state}" for leg in ((self.leg.status,) if self.leg else ())]
        if self.payment:
            lines.append(f"- {self.payment.amount} came in as `{self.payment.external_id}`")
        if self.reason:
            lines.append(f"- last obstacle: `{self.reason.code}` {self.reason.detail}")
        return lines

    def _receipt(self) -> str | None:
        if self.payment is not None:
            return self.payment.external_id
        return self.leg.status.receipt if self.leg else None
