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

from typing import Literal, cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.lending.float_purchase import FloatPurchases
    from core.ids import PAYOUT, derived_id
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
    from models.messages.saga.decisions import CommandTaken
    from models.messages.saga.payouts import BankOrder, Paid, PayoutInstruction, Unpaid
    from models.messages.saga.status import CaseToOpen, Notice
    from workflows.saga.attempts import LegEvent
    from workflows.saga.base import EndsUnpaid, StepFailed
    from workflows.saga.money_saga import MoneySaga


@workflow.defn(name="FloatPurchase")
class FloatPurchase(MoneySaga):
    """One purchase: float for what was agreed to, or everything given back."""

    proposal_stages = ("transferring", "buying", "returning", "in_review")
    two_people_say = frozenset({"paid", "not_paid"})  # either way it releases money (P8)

    @workflow.init
    def __init__(self, request: FloatRequest) -> None:
        super().__init__(request)
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
            return await self.step(FloatPurchases.hold_costs, HoldCosts(request=self.request), "hold float and fees")
        except StepFailed as failed:
            raise EndsUnpaid("refused", failed.reason.code, failed.reason.detail) from failed

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
            order = SendCode(request=self.request, number=self.codes_sent + 1)
            try:
                await self.step(FloatPurchases.send_code, order, "send a one-time code")
            except StepFailed as failed:
                raise EndsUnpaid("refused", failed.reason.code, failed.reason.detail) from failed
            self.codes_sent += 1

    async def check_confirmation(self, confirmed: CodeConfirmed) -> None:
        order = SendCode(request=self.request, number=confirmed.number)
        try:
            await self.step(FloatPurchases.check_confirmation, order, "was the right code given?")
        except StepFailed as failed:
            raise EndsUnpaid("refused", failed.reason.code, failed.reason.detail) from failed

    async def transfer_money(self, plan: FloatPlan) -> Paid:
        """The first pivot. Before it the partner may cancel."""
        self.safe_point()
        self.enter("transferring")
        outcome = await self.move(plan.transfer, "transferring", f"Float {self.request.operator}")
        if isinstance(outcome, Unpaid):
            ending = "withdrawn" if outcome.code == "cancelled" else "failed"
            raise EndsUnpaid(ending, outcome.code, outcome.detail, outcome.reference)
        await self.record_move("transfer", outcome)
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
        await self.record(
            f"{failure.leg_id}:failed",
            f"No float was bought, so the money goes back: {failure.detail}",
            tone="bad",
            stage="returning",
            code=failure.code,
        )
        before: Unpaid | None = None
        while True:
            outcome = await self.move(
                plan.transfer_back, "returning", "Float returned", cancellable=False, after=before
            )
            if isinstance(outcome, Paid):
                self.returned = outcome
                await self.record_move("transfer_back", outcome)
                return
            before = outcome
            await self.record(
                f"{outcome.leg_id}:back",
                f"The transfer back failed: {outcome.detail}",
                tone="bad",
                code=outcome.code,
                case=CaseToOpen(kind="transfer_back_failed", summary=outcome.detail),
            )
            self.forget_retry()
            await self.until(self.retry_taken, waiting_for="an operator: repeat the transfer back (retry)")

    async def settle(self, plan: FloatPlan, transfer: Paid, purchase: Paid) -> FloatResult:
        order = SettleFloat(request=self.request, plan=plan, transfer=transfer, purchase=purchase)
        await self.end_well(FloatPurchases.settle, order, "capture the costs, tell the partner")
        return FloatResult(ending="completed", receipt=purchase.receipt)

    async def give_back(self, end: EndsUnpaid) -> FloatResult:
        """Nothing was bought, and what had moved is back: the holds are released."""
        ending = cast(FloatEnding, end.ending)
        references = [*self.failed_references, *([end.reference] if end.reference else [])]
        order = EndFloat(
            request=self.request,
            ending=ending,
            code=end.code,
            detail=end.detail,
            failed_references=tuple(dict.fromkeys(references)),
            transfer=self.transfer,
            returned=self.returned,
        )
        await self.end_unpaid(end, FloatPurchases.end, order, "give the costs back, say why")
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
        policy = self.request.policy.leg
        return await self.pay(instruction, policy, stage=stage, cancellable=cancellable, after=after)

    async def record_move(self, step: Literal["transfer", "transfer_back"], paid: Paid) -> None:
        order = RecordMove(request=self.request, step=step, paid=paid)
        await self.step(FloatPurchases.record_move, order, f"book the {step.replace('_', ' ')}")

    def notice_of_review(self, event: LegEvent) -> Notice:
        facts = {
            "amount": str(self.request.amount),
            "operator": OPERATOR_NAMES[self.request.operator],
            "reference": event.facts.get("reference", "-"),
        }
        return Notice(event="float_in_review", facts=facts)

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
    async def resend_code(self, command: ResendCode) -> CommandTaken:
        """A new code; the one before it is dead."""
        self.codes_wanted = self.codes_sent + 1
        return CommandTaken(stage=self.stage, at=workflow.now())

    @resend_code.validator
    def _resend_within_the_limit(self, command: ResendCode) -> None:
        if self.stage != "awaiting_code" or self.confirmed is not None or self.cancel_wanted:
            raise ApplicationError(f"No code is awaited at the stage “{self.stage}”.", type="wrong_stage")
        if max(self.codes_sent, self.codes_wanted) >= self.request.policy.codes_at_most:
            raise ApplicationError("No more codes are sent for this purchase.", type="resend_limit")
