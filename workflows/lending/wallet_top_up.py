"""A lender puts money into its prepaid wallet: by bank transfer under a code, or by a prompt to a phone.

    step                     where the money is afterwards
    wait for the money       with the payer, or on the wallet's bank account (nothing is credited without bank evidence)
    decide whose it is       on the bank account; only for a credit that names no top-up: one person says, another agrees
    credit the wallet        in the lender's wallet, once per bank transaction whatever announced it; waiting sagas go on

A credit that comes after the end, or twice under one code, gets a saga of its own and is credited once as well.
"""

from typing import cast

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lending.wallet_top_up import TopUps
    from models.messages.errors import ErrorFacts
    from models.messages.lending.wallet_top_up import (
        CreditWallet,
        EndTopUp,
        TopUpEnding,
        TopUpRequest,
        TopUpResult,
        WalletCredited,
    )
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.prompts import Collected
    from models.messages.saga.status import CaseToOpen
    from workflows.saga.arrived import collected_from
    from workflows.saga.base import EndsUnpaid, StepFailed
    from workflows.saga.decisions import Choice
    from workflows.saga.money_saga import MoneySaga


@workflow.defn(name="WalletTopUp")
class WalletTopUp(MoneySaga):
    """One top-up, credited once, or ended without money."""

    proposal_stages = ("requested", "prompting", "in_review", "unallocated")
    two_people_say = frozenset({"paid", "not_paid"})  # each puts money into a wallet or keeps it out (P8)

    @workflow.init
    def __init__(self, request: TopUpRequest) -> None:
        super().__init__(request)
        self.request = request
        self.payment = request.arrived
        # From the start: an update that comes with the first task is handled before the first step runs.
        self.open = request.arrived is None
        self.whose_undecided = False

    @workflow.run
    async def run(self, request: TopUpRequest) -> TopUpResult:
        return await self.protect(self.top_up())

    async def top_up(self) -> TopUpResult:
        try:
            collected = await self.receive()
            if self.request.method == "unannounced" and self.request.reference is None:
                await self.decide_whose(collected)
        except EndsUnpaid as end:
            return await self.end_without_money(end)
        return await self.credit(collected)

    # ----------------------------------------------------------------------------------------------------- the steps

    async def receive(self) -> Collected:
        """The bank's evidence of the money: it is there already, or it is waited for."""
        if self.payment is not None:
            return collected_from(self.payment, self.request.top_up_id)
        self.safe_point()
        if self.request.prompt is not None:
            return await self.prompt(self.request.prompt, self.request.policy.prompt)
        return await self.wait_for_transfer()

    async def wait_for_transfer(self) -> Collected:
        self.enter("waiting_money", searchable=True)
        text = f"Waiting for a bank transfer that names {self.request.reference}."
        await self.record("waiting_money", text, stage="waiting_money")
        await self.until(
            lambda: self.payment or self.cancel_wanted,
            timeout=self.request.policy.money_within,
            waiting_for=f"a bank transfer that names {self.request.reference}",
        )
        self.open = False
        if self.payment is not None:
            return collected_from(self.payment, self.request.top_up_id)
        self.safe_point()
        raise EndsUnpaid("expired", "no_money", "No transfer that names this top-up came in time.")

    async def decide_whose(self, collected: Collected) -> None:
        """A credit without a code: matching its digits or names would be a guess. One person decides, another agrees."""
        self.whose_undecided = True
        self.enter("unallocated", searchable=True)
        assert self.payment is not None
        summary = f"A credit of {collected.amount} names no top-up; whose money is it?"
        await self.record(
            "unallocated",
            f"{collected.amount} came in and names no top-up.",
            tone="warning",
            stage="unallocated",
            facts={"bank_reference": self.payment.external_id, "narrative": self.payment.reference or "-"},
            case=CaseToOpen(kind="credit_unallocated", summary=summary),
        )
        decided = await self.decision.made(self, "a person: is it this partner's (allocate) or given back (returned)?")
        self.whose_undecided = False
        if decided.decision == "returned":
            raise EndsUnpaid("returned", "returned", f"Given back by an operator: {decided.evidence}")

    async def credit(self, collected: Collected) -> TopUpResult:
        """The money is on our account, so what forbids the credit is a person's to mend; then it is tried again."""
        self.enter("crediting")
        credited: WalletCredited | None = None
        while credited is None:
            order = CreditWallet(request=self.request, collected=collected, decided_by=self.decision.people)
            try:
                credited = await self.step(TopUps.credit, order, "credit the wallet")
            except StepFailed as failed:
                await self.review_credit(collected, failed.reason)
        if not credited.ours:
            return await self.end_without_money(
                EndsUnpaid("failed", "credited_elsewhere", f"The same money is credited by {credited.claimed_by}.")
            )
        self.reason = None
        self.enter("completed", searchable=True)
        return TopUpResult(ending="completed", amount=credited.amount)

    async def review_credit(self, collected: Collected, reason: ErrorFacts) -> None:
        self.enter("in_review", searchable=True)
        await self.record(
            f"credit:{reason.code}",
            f"{collected.amount} came in and cannot be credited: {reason.detail}",
            tone="bad",
            stage="in_review",
            code=reason.code,
            facts={"bank_reference": collected.receipt, "amount": str(collected.amount)},
            case=CaseToOpen(kind="credit_failed", summary=reason.detail),
        )
        await self.until(self.retry_taken, waiting_for="an operator to mend what forbids the credit (retry)")
        self.enter("crediting", searchable=True)

    async def end_without_money(self, end: EndsUnpaid) -> TopUpResult:
        ending = cast(TopUpEnding, end.ending)
        order = EndTopUp(request=self.request, ending=ending, code=end.code, detail=end.detail)
        await self.end_unpaid(end, TopUps.end, order, "say why nothing was credited")
        return TopUpResult(ending=ending, code=end.code, detail=end.detail)

    # -------------------------------------------------------------------------------------------------- the messages

    @property
    def other_question(self) -> str | None:
        return "whose credit" if self.whose_undecided else None

    @property
    def stage_without_proposal(self) -> str:
        return "unallocated" if self.whose_undecided else super().stage_without_proposal

    def decisions(self) -> dict[str, Choice]:
        """Besides the outcome of a prompt in doubt: whose money a credit without a code is."""
        if not self.whose_undecided:
            return super().decisions()
        return {word: Choice(self.whose_is_decided, two_people=True) for word in ("allocate", "returned")}

    def whose_is_decided(self, said: Resolution) -> None:
        """`decide_whose` waits for what two people agreed to; nothing else is to be done."""
