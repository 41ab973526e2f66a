"""A lender buys M-Pesa float from its wallet, confirmed with a one-time code.

    step                     where the money is afterwards
    hold the costs           lender's wallet: float and fees are held
    wait for the code        the same; cancel, expiry or too many wrong codes give everything back
    transfer at the bank     float amount: from the wallet's bank account to the B2C bank account
    buy float                float amount: on the lender's M-Pesa short code
      known to have failed   back on the wallet's bank account, by a transfer of its own; then everything is given back
    settle                   float and fees have left the wallet; partner is told

Each movement at the bank is a leg that never pays twice. What a leg does not know, nobody undoes: evidence first.
"""

from typing import cast

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.lending.float_purchase import FloatPurchases
    from activities.saga.records import SagaBooks
    from core.ids import PAYOUT, derived_id
    from models.messages.errors import ErrorFacts
    from models.messages.lending.float_purchase import (
        OPERATOR_NAMES,
        CodeConfirmed,
        EndFloat,
        FloatEnding,
        FloatPlan,
        FloatRequest,
        FloatResult,
        HoldCosts,
        RecordMove,
        ResendCode,
        SendCode,
        SettleFloat,
    )
    from models.messages.saga.decisions import CommandTaken, Resolution
    from models.messages.saga.payouts import BankOrder, Paid, PayoutInstruction, Unpaid
    from models.messages.saga.status import CaseToOpen, Progress
    from workflows.saga import policies
    from workflows.saga.attempts import LegNote
    from workflows.saga.base import EndsUnpaid
    from workflows.saga.failures import facts_of
    from workflows.saga.paying import PayingSaga


@workflow.defn(name="FloatPurchase")
class FloatPurchase(PayingSaga):
    """One purchase: float for what was agreed to, or everything given back."""

    proposal_stages = ("transferring", "buying", "returning", "in_review")

    @workflow.init
    def __init__(self, request: FloatRequest) -> None:
        super().__init__()
        self.request = request
        self.transfer: Paid | None = None
        self.returned: Paid | None = None
        self.failed_references: list[str] = []
        self.codes_sent = 0
        self.codes_wanted = 1
        self.confirmed: CodeConfirmed | None = None

    @workflow.run
    async def run(self, request: FloatRequest) -> FloatResult:
        return await self.protect(self.buy())

    async def buy(self) -> FloatResult:
        try:
            plan = await self.hold_costs()
            await self.wait_for_code()
            self.transfer = await self.transfer_money(plan)
            purchase = await self.buy_float(plan)
        except EndsUnpaid as end:
            return await self.give_back(end)
        return await self.settle(plan, self.transfer, purchase)

    # ----------------------------------------------------------------------------------------------------- the steps

    async def hold_costs(self) -> FloatPlan:
        """Holds what was shown and agreed to; refused if the wallet is too low for it."""
        self.safe_point()
        try:
            return await workflow.execute_activity_method(
                FloatPurchases.hold_costs,
                HoldCosts(request=self.request),
                summary="hold float and fees",
                **policies.BOOKS.options(),
            )
        except ActivityError as error:
            self.reason = facts_of(error)
            raise EndsUnpaid("refused", self.reason.code, self.reason.detail) from error

    async def wait_for_code(self) -> None:
        """The partner's authorised people get a code; one of them gives it back. Only the books say which code was
        right: the message is a hint."""
        self.enter("awaiting_code", searchable=True)
        deadline = workflow.now() + self.request.policy.confirm_within
        while self.confirmed is None:
            await self.send_codes()
            in_time = await self.until(
                lambda: self.confirmed or self.cancel_wanted or self.codes_wanted > self.codes_sent,
                timeout=max(deadline - workflow.now(), self.request.policy.shortest_wait),
                waiting_for="the one-time code from the partner",
            )
            self.safe_point()
            if not in_time:
                raise EndsUnpaid("expired", "not_confirmed", "The one-time code was not given in time.")
        await self.check_confirmation(self.confirmed)

    async def send_codes(self) -> None:
        while self.codes_sent < self.codes_wanted:
            try:
                await workflow.execute_activity_method(
                    FloatPurchases.send_code,
                    SendCode(request=self.request, number=self.codes_sent + 1),
                    summary="send a one-time code",
                    **policies.BOOKS.options(),
                )
            except ActivityError as error:
                self.reason = facts_of(error)
                raise EndsUnpaid("refused", self.reason.code, self.reason.detail) from error
            self.codes_sent += 1

    async def check_confirmation(self, confirmed: CodeConfirmed) -> None:
        try:
            await workflow.execute_activity_method(
                FloatPurchases.check_confirmation,
                SendCode(request=self.request, number=confirmed.number),
                summary="was the right code given?",
                **policies.BOOKS.options(),
            )
        except ActivityError as error:
            self.reason = facts_of(error)
            raise EndsUnpaid("refused", self.reason.code, self.reason.detail) from error

    async def transfer_money(self, plan: FloatPlan) -> Paid:
        """The first pivot. Before it the partner may cancel."""
        self.safe_point()
        self.enter("transferring")
        outcome = await self.move(plan.transfer, "transferring", f"Float {self.request.operator}")
        if isinstance(outcome, Unpaid):
            ending = "withdrawn" if outcome.code == "cancelled" else "failed"
            raise EndsUnpaid(ending, outcome.code, outcome.detail, outcome.reference)
        await self.record("transfer", outcome)
        return outcome

    async def buy_float(self, plan: FloatPlan) -> Paid:
        """The second pivot. If it is known to have failed, the transfer goes back."""
        self.enter("buying")
        outcome = await self.move(plan.purchase, "buying", f"Float {self.request.operator}")
        if isinstance(outcome, Paid):
            return outcome
        if outcome.reference:
            self.failed_references.append(outcome.reference)
        await self.transfer_back(plan, outcome)
        raise EndsUnpaid("failed", outcome.code, outcome.detail, outcome.reference)

    async def transfer_back(self, plan: FloatPlan, failure: Unpaid) -> None:
        """Our own money on our other account: it must come back, so a refusal waits for a person and is tried again."""
        self.enter("returning", searchable=True)
        await self.note_plain(
            f"{failure.leg_id}:failed", f"No float was bought, so the money goes back: {failure.detail}",
            code=failure.code, stage="returning",
        )  # fmt: skip
        before: Unpaid | None = None
        while True:
            outcome = await self.move(
                plan.transfer_back, "returning", "Float returned", cancellable=False, after=before
            )
            if isinstance(outcome, Paid):
                self.returned = outcome
                await self.record("transfer_back", outcome)
                return
            before = outcome
            await self.note_plain(
                f"{outcome.leg_id}:back", f"The transfer back failed: {outcome.detail}", code=outcome.code,
                case=CaseToOpen(kind="transfer_back_failed", summary=outcome.detail, actions=("retry",)),
            )  # fmt: skip
            self.retry_wanted = False
            await self.until(lambda: self.retry_wanted, waiting_for="an operator: repeat the transfer back (retry)")

    async def settle(self, plan: FloatPlan, transfer: Paid, purchase: Paid) -> FloatResult:
        self.enter("settling")
        await workflow.execute_activity_method(
            FloatPurchases.settle,
            SettleFloat(request=self.request, plan=plan, transfer=transfer, purchase=purchase),
            summary="capture the costs, tell the partner",
            **policies.BOOKS.options(),
        )
        self.reason = None
        self.enter("completed", searchable=True)
        return FloatResult(ending="completed", receipt=purchase.receipt)

    async def give_back(self, end: EndsUnpaid) -> FloatResult:
        """Nothing was bought, and what had moved is back: the holds are released. Harmless if there were none."""
        ending = cast(FloatEnding, end.ending)
        references = [*self.failed_references, *([end.reference] if end.reference else [])]
        await workflow.execute_activity_method(
            FloatPurchases.end,
            EndFloat(
                request=self.request,
                ending=ending,
                code=end.code,
                detail=end.detail,
                failed_references=tuple(dict.fromkeys(references)),
                transfer=self.transfer,
                returned=self.returned,
            ),
            summary="give the costs back, say why",
            **policies.BOOKS.options(),
        )
        self.reason = ErrorFacts(kind="rejected", code=end.code, detail=end.detail)
        self.enter(end.ending, searchable=True)
        return FloatResult(ending=ending, code=end.code, detail=end.detail)

    # ------------------------------------------------------------------------------------------------- small steps

    async def move(
        self, order: BankOrder, stage: str, remarks: str, *, cancellable: bool = True, after: Unpaid | None = None
    ) -> Paid | Unpaid:
        # A movement is asked for again only after the one before is known not to have happened.
        tries = sum(leg.stage == stage for leg in self.legs)
        instruction = PayoutInstruction(
            leg_id=derived_id(PAYOUT, self.request.workflow_id, stage, 1, tries),
            role=stage,
            begun_at=workflow.now(),
            partner_id=self.request.partner_id,
            workflow_id=self.request.workflow_id,
            provider="bank",
            bank=order,
            amount=self.request.amount,
            remarks=remarks,
        )
        leg = self.new_leg(instruction, self.request.policy.leg, stage=stage, cancellable=cancellable, after=after)
        outcome = await leg.run()
        if isinstance(outcome, Paid):
            self.payments.append(outcome)
        return outcome

    async def record(self, step: str, paid: Paid) -> None:
        await workflow.execute_activity_method(
            FloatPurchases.record_move,
            RecordMove.model_validate({"request": self.request, "step": step, "paid": paid}),
            summary=f"book the {step.replace('_', ' ')}",
            **policies.BOOKS.options(),
        )

    async def note_plain(
        self, key: str, text: str, *, code: str | None, stage: str | None = None, case: CaseToOpen | None = None
    ) -> None:
        await self.note(
            Progress(
                workflow_id=self.request.workflow_id,
                partner_id=self.request.partner_id,
                key=key,
                text=text,
                tone="bad",
                stage=stage,
                code=code,
                case=case,
            )
        )

    async def note(self, progress: Progress) -> None:
        await workflow.execute_activity_method(SagaBooks.note, progress, **policies.BOOKS.options())

    async def note_leg(self, note: LegNote) -> None:
        in_review = note.case == "payout_unknown"
        await self.note(
            Progress(
                workflow_id=self.request.workflow_id,
                partner_id=self.request.partner_id,
                key=note.key,
                text=note.text,
                tone=note.tone,
                stage=self.shown("in_review") if note.in_review else None,
                code=note.code,
                facts=note.facts,
                case=note.case
                and CaseToOpen(
                    kind=note.case,
                    summary=note.text,
                    actions=("paid", "not_paid", "approve", "decline", "retry") if in_review else (),
                    about=None if in_review else note.key,
                ),
                tell_partner="float_in_review" if in_review else None,
                notice={
                    "amount": str(self.request.amount),
                    "operator": OPERATOR_NAMES[self.request.operator],
                    "reference": note.facts.get("reference", "-"),
                },
            )
        )

    # -------------------------------------------------------------------------------------------------- the messages

    @workflow.update(name="confirm")
    async def confirm(self, confirmed: CodeConfirmed) -> CommandTaken:
        """The right code was given. Update id: `code:<purchase>:<number>`."""
        self.confirmed = confirmed
        return CommandTaken(stage=self.stage, at=workflow.now())

    @confirm.validator
    def _confirm_while_awaited(self, confirmed: CodeConfirmed) -> None:
        if self.stage != "awaiting_code" or self.cancel_wanted:
            raise ApplicationError(f"No code is awaited at the stage “{self.stage}”.", type="wrong_stage")
        # A code may be given before its sending step has answered; the books say later whether it was right.
        if not 1 <= confirmed.number <= self.codes_wanted:
            raise ApplicationError("No such code was sent.", type="wrong_stage")

    @workflow.update(name="resend_code")
    async def resend_code(self, wish: ResendCode) -> CommandTaken:
        """A new code; the one before it is dead."""
        self.codes_wanted = self.codes_sent + 1
        return CommandTaken(stage=self.stage, at=workflow.now())

    @resend_code.validator
    def _resend_within_the_limit(self, wish: ResendCode) -> None:
        if self.stage != "awaiting_code" or self.confirmed is not None or self.cancel_wanted:
            raise ApplicationError(f"No code is awaited at the stage “{self.stage}”.", type="wrong_stage")
        if max(self.codes_sent, self.codes_wanted) >= self.request.policy.codes_at_most:
            raise ApplicationError("No more codes are sent for this purchase.", type="resend_limit")

    def judge(self, said: Resolution) -> None:
        """What became of a movement at the bank, with evidence."""
        if said.decision not in ("paid", "not_paid"):
            self.refuse(said)
        self.judge_outcome(said, "movement")

    def needs_two(self, decision: str) -> bool:
        """Either way it releases money (P8)."""
        return True

    def carry_out(self, said: Resolution) -> None:
        self.legs[-1].resolve(said)
