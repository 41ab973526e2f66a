"""An approved loan is paid out by M-Pesa and posted back to Fineract.

    step                     where the money is afterwards
    reserve the charges      lender's wallet: the charges are held; the principal is on the lender's M-Pesa account
    pay the client           the principal is with the client (or nothing has moved, and the charges are given back)
    post to Fineract         the loan is active in the lender's books
    settle                   the charges are ours; client and lender are told

Before the client is paid everything can be undone; afterwards nothing is, and the rest is retried for ever.
"""

from datetime import datetime, timedelta
from typing import cast

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lending.loan_disbursement import Disbursements
    from activities.lending.loans import Loans
    from core.ids import PAYOUT, derived_id
    from core.money import Money
    from models.messages.errors import ErrorFacts
    from models.messages.lending.loan_disbursement import (
        DisbursementPlan,
        DisbursementRequest,
        DisbursementResult,
        Ending,
        PostDisbursal,
        Posted,
        RecheckLoan,
        Release,
        Reserve,
        Settle,
    )
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.payouts import Paid, PayoutInstruction, Unpaid
    from models.messages.saga.status import CaseToOpen, Notice
    from workflows.saga import policies
    from workflows.saga.attempts import LegEvent
    from workflows.saga.base import EndsUnpaid, StepFailed
    from workflows.saga.decisions import Choice
    from workflows.saga.money_saga import MoneySaga
    from workflows.saga.posting_step import PostingStep

# Someone undid, rejected or disbursed the loan: not a failure of ours, and a later approval is a new request.
_WITHDRAWN = frozenset({"loan_not_approved", "disbursed_elsewhere"})
# What is missing is money or time, and both may come.
_MAY_PASS = frozenset({"insufficient_funds", "daily_limit", "no_allowed_date"})


@workflow.defn(name="LoanDisbursement")
class LoanDisbursement(MoneySaga):
    """One approved loan, paid exactly once and posted exactly once, or not paid and everything given back."""

    proposal_stages = ("requested", "paying", "in_review")

    @workflow.init
    def __init__(self, request: DisbursementRequest) -> None:
        super().__init__(request)
        self.request = request
        self.account_no = str(request.loan_id)  # until the loan was read
        self.partial_accepted = False
        self.rest_undecided = False
        self.funds_arrived = False
        self.told_paid_twice = False

    @workflow.run
    async def run(self, request: DisbursementRequest) -> DisbursementResult:
        return await self.protect(self.disburse())

    async def disburse(self) -> DisbursementResult:
        try:
            plan = await self.reserve_charges()
            await self.pay_client(plan)
        except EndsUnpaid as end:
            return await self.give_back_charges(end)
        posted = await self.post_to_fineract(plan)
        return await self.settle(plan, posted)

    # ----------------------------------------------------------------------------------------------------- the steps

    async def reserve_charges(self) -> DisbursementPlan:
        """Re-reads the loan, checks its limits and holds the charges; waits while only money or time is missing."""
        order = Reserve(request=self.request)
        while True:
            self.safe_point()
            try:
                plan = await self.step(
                    Loans.reserve, order, "re-read the loan, check limits, hold charges", policies.RESERVE
                )
            except StepFailed as failed:
                reason = failed.reason
            else:
                self.account_no = plan.account_no
                return plan
            # Not while the failure is being handled: a wait of weeks would keep it, and every frame on its way, in memory.
            await self.wait_for_what_is_missing(reason)

    async def pay_client(self, plan: DisbursementPlan) -> None:
        """The pivot. A loan above the per-transaction maximum goes out in parts, one leg each."""
        self.enter("paying")
        for number, part in enumerate(plan.parts, start=1):
            failures: list[Unpaid] = []
            while isinstance(outcome := await self.pay_part(plan, part, number, failures), Unpaid):
                failures.append(outcome)
                if not self.payments:
                    raise EndsUnpaid(outcome.ending or "failed", outcome.code, outcome.detail, outcome.reference)
                # The client already holds a part: nothing may be undone, so a person decides about the rest.
                await self.decide_about_rest(outcome)
                if self.partial_accepted:
                    return

    async def pay_part(self, plan: DisbursementPlan, part: Money, number: int, failures: list[Unpaid]) -> Paid | Unpaid:
        if not self.payments:
            self.safe_point()
        instruction = PayoutInstruction(
            leg_id=derived_id(PAYOUT, self.workflow_id, "client", number, len(failures)),
            role="client",
            part=number,
            begun_at=workflow.now(),
            partner_id=self.partner_id,
            workflow_id=self.workflow_id,
            provider=self.request.provider,
            msisdn=plan.msisdn,
            amount=part,
            remarks=f"Loan {plan.account_no}",
        )

        async def still_wanted() -> bool:
            return await self.is_still_payable(plan)

        after = failures[-1] if failures else None
        return await self.pay(instruction, self.request.policy.payout, still_wanted=still_wanted, after=after)

    async def is_still_payable(self, plan: DisbursementPlan) -> bool:
        """Before a send that had to wait: loan, client and dates are read again. Raises EndsUnpaid for what is no longer to
        be paid; False while Fineract does not say, or the day is not right."""
        order = RecheckLoan(request=self.request, plan=plan)
        try:
            await self.step(Loans.recheck, order, "is the loan still to be paid?", policies.RESERVE)
        except StepFailed as failed:
            if failed.reason.kind != "rejected" or failed.reason.code in _MAY_PASS:
                return False
            raise self.ends_unpaid(failed.reason) from failed
        return True

    async def post_to_fineract(self, plan: DisbursementPlan) -> Posted:
        async def post(key_number: int) -> Posted:
            policy = self.request.policy
            order = PostDisbursal(
                request=self.request,
                plan=plan,
                payments=tuple(self.payments),
                clock_slack=policy.clock_slack,
                key_number=key_number,
            )
            return await self.step(
                Loans.post, order, "post the disbursement to Fineract", policies.POST, within=policy.post_for
            )

        self.posting = PostingStep(
            self,
            "post",
            post,
            by_hand=lambda said: Posted(transaction_id=said.transaction_id, by_hand=True),
            review=self.review_post,
            again_every=self.request.policy.post_again_every,
            retry=self.retry_taken,
        )
        posted: Posted = await self.posting.run()
        return posted

    async def settle(self, plan: DisbursementPlan, posted: Posted) -> DisbursementResult:
        """Captures the charges, closes the saga's books, tells client and lender."""
        payments = tuple(self.payments)
        order = Settle(request=self.request, plan=plan, payments=payments, posted=posted)
        await self.end_well(Disbursements.settle, order, "capture the charges, tell client and lender")
        receipts = tuple(payment.receipt for payment in payments)
        return DisbursementResult(ending="completed", receipts=receipts, transaction_id=posted.transaction_id)

    async def give_back_charges(self, end: EndsUnpaid) -> DisbursementResult:
        """Nothing was paid: the charges return to the wallet and the lender is told why."""
        ending = cast(Ending, end.ending)
        order = Release(
            request=self.request, ending=ending, code=end.code, detail=end.detail, failed_reference=end.reference
        )
        await self.end_unpaid(end, Disbursements.release, order, "give the charges back, say why")
        return DisbursementResult(ending=ending, code=end.code, detail=end.detail)

    # ------------------------------------------------------------------------------------------- waits and decisions

    async def wait_for_what_is_missing(self, reason: ErrorFacts) -> None:
        """Raises EndsUnpaid if nothing that may come is missing."""
        if reason.code == "insufficient_funds":
            await self.wait("waiting_funds", "money in the wallet for the charges")
        elif reason.code == "daily_limit":
            await self.wait("waiting_limit", "the next day, since the product's daily limit is used up")
        elif reason.code == "no_allowed_date":
            await self.wait_for_the_day(reason)
        elif reason.kind == "rejected":
            raise self.ends_unpaid(reason)
        else:
            timeout = self.request.policy.read_again_every
            await self.until(self.retry_taken, timeout=timeout, waiting_for="Fineract to answer")

    @staticmethod
    def ends_unpaid(reason: ErrorFacts) -> EndsUnpaid:
        ending: Ending = "withdrawn" if reason.code in _WITHDRAWN else "refused"
        return EndsUnpaid(ending, reason.code, reason.detail)

    async def wait(self, stage: str, waiting_for: str, *, at_most: timedelta | None = None) -> None:
        self.enter(stage, searchable=True)
        self.funds_arrived = False
        await self.until(
            lambda: self.funds_arrived or self.retry_taken(),
            timeout=at_most or self.request.policy.look_for_funds_every,
            waiting_for=waiting_for,
        )
        self.funds_arrived = False

    async def wait_for_the_day(self, reason: ErrorFacts) -> None:
        """Looks again when the day begins in the core bank's zone, and before: the bank's calendar may be changed."""
        at_most, now = self.request.policy.look_for_date_every, workflow.now()
        opens_at = datetime.fromisoformat(reason.extra["opens_at"]) if "opens_at" in reason.extra else now
        if opens_at > now:
            at_most = min(at_most, opens_at - now)
        day = reason.extra.get("opens_on", "a day on which Fineract books")
        await self.wait("waiting_date", f"{day}: {reason.detail}", at_most=at_most)

    async def decide_about_rest(self, outcome: Unpaid) -> None:
        self.enter("in_review", searchable=True)
        text = f"A part was paid, the next one failed: {outcome.detail}"
        await self.record(
            f"{outcome.leg_id}:partial",
            text,
            tone="bad",
            stage="in_review",
            code=outcome.code,
            case=CaseToOpen(kind="payout_partial", summary=text),
            notice=self.notice("payout_partial", outcome.code),
        )
        self.rest_undecided = True
        await self.until(
            lambda: self.partial_accepted or self.retry_taken(),
            waiting_for="an operator: pay the rest again (retry) or post only what was paid (resolve as partial)",
        )
        self.rest_undecided = False
        self.enter("paying", searchable=True)

    async def review_post(self, reason: ErrorFacts, key_number: int, again_at: datetime) -> None:
        receipts = ", ".join(paid.receipt for paid in self.payments)
        text = f"The client has the money, but Fineract has not booked it: {reason.detail}"
        await self.record(
            f"post:failed:{reason.code}",
            text,
            tone="bad",
            stage="post_review",
            code=reason.code,
            facts={"next_key": str(key_number), "receipts": receipts},
            again_at=again_at,
            case=CaseToOpen(kind="post_failed", summary=text),
            notice=self.notice("post_failed", reason.code),
        )
        if reason.code == "disbursed_elsewhere" and not self.told_paid_twice:
            self.told_paid_twice = True
            text = "We paid the client, and somebody else disbursed the loan: if money went out there too, it was paid twice."
            case = CaseToOpen(kind="paid_twice", summary=text)
            await self.record(
                "post:paid_twice", text, tone="bad", code=reason.code, facts={"receipts": receipts}, case=case
            )

    def notice_of_review(self, event: LegEvent) -> Notice:
        return self.notice("payout_in_review", event.code, event.facts.get("reference", "-"))

    def notice(self, event: str, code: str | None, reference: str = "-") -> Notice:
        facts = {"account_no": self.account_no, "reason_code": code or "", "reference": reference}
        return Notice(event=event, facts=facts)

    # -------------------------------------------------------------------------------------------------- the messages

    @property
    def other_question(self) -> str | None:
        return f"rest:{self.leg.status.leg_id}" if self.rest_undecided and self.leg else None

    def decisions(self) -> dict[str, Choice]:
        """Besides the outcome of a payout in doubt: that only what was paid is to be posted."""
        partial = {"partial": Choice(self.accept_partial)} if self.rest_undecided else {}
        return super().decisions() | partial

    def accept_partial(self, said: Resolution) -> None:
        self.partial_accepted = True

    @workflow.signal(name="wallet_credited")
    async def wallet_credited(self) -> None:
        """A hint: what the saga waits for in the wallet's line was granted to it. The next look takes it."""
        self.funds_arrived = True
