"""Money is passed on from one person to another: a payer is prompted for it, or pays of their own accord.

    step                     where the money is afterwards
    receive                  on our account at the tin, once per payment whatever announced it
    pass it on               with the recipient
      known to have failed   back with the payer, by a payout of its own
      nobody knows           wherever it is: that is found out first, and never undone

A payment that names nobody, or whose relay has ended, goes straight back.
"""

from typing import Literal, cast

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.toys.relay import Relays
    from core.ids import PAYOUT, derived_id
    from core.msisdn import Msisdn
    from models.messages.saga.payouts import Paid, PayoutInstruction, Unpaid
    from models.messages.saga.prompts import Collected
    from models.messages.saga.status import CaseToOpen
    from models.messages.toys.relay import (
        EndRelay,
        MoneyTaken,
        RelayEnding,
        RelayRequest,
        RelayResult,
        TakeMoney,
        TurnBack,
    )
    from workflows.saga.arrived import collected_from
    from workflows.saga.base import EndsUnpaid
    from workflows.saga.money_saga import MoneySaga


@workflow.defn(name="Relay")
class Relay(MoneySaga):
    """One payment: passed on once, or given back once, or never taken."""

    proposal_stages = ("prompting", "paying", "returning", "in_review")

    @workflow.init
    def __init__(self, request: RelayRequest) -> None:
        super().__init__(request)
        self.request = request
        self.payment = request.arrived
        # From the start: an update that comes with the first task is handled before the first step runs.
        self.open = request.arrived is None

    @workflow.run
    async def run(self, request: RelayRequest) -> RelayResult:
        return await self.protect(self.relay())

    async def relay(self) -> RelayResult:
        try:
            money = await self.take(await self.receive())
        except EndsUnpaid as end:
            return await self.end_without_money(end)
        passed = await self.pass_on(money)
        if isinstance(passed, Paid):
            return await self.end_passed_on(passed)
        return await self.give_back(money, passed)

    # ----------------------------------------------------------------------------------------------------- the steps

    async def receive(self) -> Collected:
        """The tin's evidence of the money: it is there already, is prompted for, or is waited for."""
        if self.payment is not None:
            return collected_from(self.payment, self.request.relay_id)
        self.safe_point()
        if self.request.prompt is not None:
            return await self.prompt(self.request.prompt, self.request.policy.prompt)
        self.enter("waiting_money", searchable=True)
        waited = f"a payment that names {self.request.code}"
        await self.record("waiting_money", f"Waiting for {waited}.", stage="waiting_money")
        await self.until(
            lambda: self.payment or self.cancel_wanted, timeout=self.request.policy.money_within, waiting_for=waited
        )
        self.open = False
        if self.payment is not None:
            return collected_from(self.payment, self.request.relay_id)
        self.safe_point()
        raise EndsUnpaid("expired", "no_money", "No payment that names this relay came in time.")

    async def take(self, collected: Collected) -> MoneyTaken:
        money = await self.step(Relays.take, TakeMoney(request=self.request, collected=collected), "take the money")
        if not money.ours:
            raise EndsUnpaid("failed", "taken_elsewhere", f"The same money is passed on by {money.claimed_by}.")
        return money

    async def pass_on(self, money: MoneyTaken) -> Paid | Unpaid:
        if self.request.recipient is None:
            return Unpaid(leg_id="-", code="names_nobody", detail="The payment names nobody whom it is for.")
        self.enter("paying")
        return await self.move("recipient", self.request.recipient, money)

    async def give_back(self, money: MoneyTaken, failure: Unpaid) -> RelayResult:
        """The payer's own money must go back: a refusal waits for a person, and then it is tried again."""
        self.enter("returning", searchable=True)
        await self.step(Relays.turn_back, TurnBack(request=self.request, failure=failure), "say that it goes back")
        back = await self.move("return", money.payer, money)
        while isinstance(back, Unpaid):
            text = f"The money did not go back: {back.detail}"
            case = CaseToOpen(kind="transfer_back_failed", summary=back.detail)
            await self.record(f"{back.leg_id}:back", text, tone="bad", code=back.code, case=case)
            self.forget_retry()
            await self.until(self.retry_taken, waiting_for="an operator: repeat the return (retry)")
            back = await self.move("return", money.payer, money, after=back)
        return await self.end_without_money(EndsUnpaid("returned", failure.code, failure.detail), back)

    async def end_passed_on(self, paid: Paid) -> RelayResult:
        order = EndRelay(request=self.request, ending="completed", paid=paid)
        await self.end_well(Relays.end, order, "say that it has arrived")
        return RelayResult(ending="completed", receipt=paid.receipt)

    async def end_without_money(self, end: EndsUnpaid, back: Paid | None = None) -> RelayResult:
        ending = cast(RelayEnding, end.ending)
        order = EndRelay(request=self.request, ending=ending, code=end.code, detail=end.detail, paid=back)
        await self.end_unpaid(end, Relays.end, order, "say why nothing was passed on")
        return RelayResult(ending=ending, receipt=back and back.receipt, code=end.code, detail=end.detail)

    # -------------------------------------------------------------------------------------------------- a small step

    async def move(
        self, role: Literal["recipient", "return"], to: Msisdn, money: MoneyTaken, *, after: Unpaid | None = None
    ) -> Paid | Unpaid:
        stage = "paying" if role == "recipient" else "returning"
        # A movement is asked for again only after the one before is known not to have happened.
        tries = sum(leg.stage == stage for leg in self.legs)
        instruction = PayoutInstruction(
            leg_id=derived_id(PAYOUT, self.workflow_id, role, 1, tries),
            role=role,
            begun_at=workflow.now(),
            partner_id=self.partner_id,
            workflow_id=self.workflow_id,
            provider="tin",
            msisdn=to,
            amount=money.amount,
            remarks="Relay" if role == "recipient" else "Relay returned",
        )
        policy, cancellable = self.request.policy.payout, role == "recipient"
        return await self.pay(instruction, policy, stage=stage, cancellable=cancellable, after=after)
