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
from temporalio.exceptions import ActivityError

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
        NoteProgress,
        PostDisbursal,
        Posted,
        RecheckLoan,
        Release,
        Reserve,
        Settle,
        Stage,
    )
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.payouts import Paid, PayoutInstruction, Unpaid
    from workflows.saga import policies
    from workflows.saga.attempts import LegNote
    from workflows.saga.base import EndsUnpaid
    from workflows.saga.failures import facts_of
    from workflows.saga.paying import PayingSaga

# Someone undid, rejected or disbursed the loan: not a failure of ours, and a later approval is a new wish.
_WITHDRAWN = frozenset({"loan_not_approved", "disbursed_elsewhere"})
# What is missing is money or time, and both may come.
_MAY_PASS = frozenset({"insufficient_funds", "daily_limit", "no_allowed_date"})


@workflow.defn(name="LoanDisbursement")
class LoanDisbursement(PayingSaga):
    """One approved loan, paid exactly once and posted exactly once, or not paid and everything given back."""

    proposal_stages = ("requested", "paying", "in_review")

    @workflow.init
    def __init__(self, request: DisbursementRequest) -> None:
        super().__init__()
        self.request = request
        self.posted_by_hand: Posted | None = None
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
        while True:
            self.safe_point()
            try:
                return await workflow.execute_activity_method(
                    Loans.reserve,
                    Reserve(request=self.request),
                    summary="re-read the loan, check limits, hold charges",
                    **policies.RESERVE.options(),
                )
            except ActivityError as error:
                self.reason = facts_of(error)
            if self.reason.code == "insufficient_funds":
                await self.wait("waiting_funds", "money in the wallet for the charges")
            elif self.reason.code == "daily_limit":
                await self.wait("waiting_limit", "the next day, since the product's daily limit is used up")
            elif self.reason.code == "no_allowed_date":
                await self.wait_for_the_day(self.reason)
            elif self.reason.kind == "rejected":
                raise EndsUnpaid(self.ending_of(self.reason), self.reason.code, self.reason.detail)
            else:
                await self.until(
                    self.take_wish,
                    timeout=self.request.policy.read_again_every,
                    waiting_for="Fineract to answer",
                )

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
            self.payments.append(outcome)

    async def pay_part(self, plan: DisbursementPlan, part: Money, number: int, failures: list[Unpaid]) -> Paid | Unpaid:
        if not self.payments:
            self.safe_point()
        instruction = PayoutInstruction(
            leg_id=derived_id(PAYOUT, self.request.workflow_id, "client", number, len(failures)),
            role="client",
            part=number,
            begun_at=workflow.now(),
            partner_id=self.request.partner_id,
            workflow_id=self.request.workflow_id,
            provider=self.request.provider,
            msisdn=plan.msisdn,
            amount=part,
            remarks=f"Loan {plan.account_no}",
        )

        async def still_wanted() -> bool:
            return await self.is_still_payable(plan)

        leg = self.new_leg(
            instruction,
            self.request.policy.payout,
            still_wanted=still_wanted,
            after=failures[-1] if failures else None,
        )
        return await leg.run()

    async def is_still_payable(self, plan: DisbursementPlan) -> bool:
        """Before a send that had to wait: loan, client and dates are read again. Raises EndsUnpaid for what is no longer to
        be paid; False while Fineract does not say, or the day is not right."""
        try:
            await workflow.execute_activity_method(
                Loans.recheck,
                RecheckLoan(request=self.request, plan=plan),
                summary="is the loan still to be paid?",
                **policies.RESERVE.options(),
            )
        except ActivityError as error:
            self.reason = facts_of(error)
            if self.reason.kind != "rejected" or self.reason.code in _MAY_PASS:
                return False
            raise EndsUnpaid(self.ending_of(self.reason), self.reason.code, self.reason.detail) from error
        return True

    @staticmethod
    def ending_of(reason: ErrorFacts) -> Ending:
        return "withdrawn" if reason.code in _WITHDRAWN else "refused"

    async def post_to_fineract(self, plan: DisbursementPlan) -> Posted:
        """The client has the money, so this is tried for ever: fast at first, then slowly with an open case."""
        self.enter("posting")
        key_number = 1
        while True:
            try:
                return await workflow.execute_activity_method(
                    Loans.post,
                    PostDisbursal(
                        request=self.request, plan=plan, payments=tuple(self.payments), key_number=key_number
                    ),
                    summary="post the disbursement to Fineract",
                    **policies.POST.options(schedule_to_close=self.request.policy.post_for),
                )
            except ActivityError as error:
                self.reason = facts_of(error)
            if self.reason.extra.get("new_key") == "yes":
                key_number += 1  # Fineract replays a stored failure under the same key for ever
            await self.review_post(key_number)
            if self.posted_by_hand:
                return self.posted_by_hand

    async def settle(self, plan: DisbursementPlan, posted: Posted) -> DisbursementResult:
        """Captures the charges, closes the saga's books, tells client and lender."""
        self.enter("settling")
        payments = tuple(self.payments)
        await workflow.execute_activity_method(
            Disbursements.settle,
            Settle(request=self.request, plan=plan, payments=payments, posted=posted),
            summary="capture the charges, tell client and lender",
            **policies.BOOKS.options(),
        )
        self.reason = None
        self.enter("completed", searchable=True)
        return DisbursementResult(
            ending="completed",
            receipts=tuple(payment.receipt for payment in payments),
            transaction_id=posted.transaction_id,
        )

    async def give_back_charges(self, end: EndsUnpaid) -> DisbursementResult:
        """Nothing was paid: the charges return to the wallet and the lender is told why. Harmless if none were held."""
        await workflow.execute_activity_method(
            Disbursements.release,
            Release(
                request=self.request,
                ending=cast(Ending, end.ending),
                code=end.code,
                detail=end.detail,
                failed_reference=end.reference,
            ),
            summary="give the charges back, say why",
            **policies.BOOKS.options(),
        )
        self.reason = ErrorFacts(kind="rejected", code=end.code, detail=end.detail)
        self.enter(end.ending, searchable=True)
        return DisbursementResult(ending=cast(Ending, end.ending), code=end.code, detail=end.detail)

    # ------------------------------------------------------------------------------------------- waits and decisions

    async def wait(self, stage: str, waiting_for: str, *, at_most: timedelta | None = None) -> None:
        self.enter(stage, searchable=True)
        self.funds_arrived = False
        await self.until(
            lambda: self.funds_arrived or self.take_wish(),
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
        await self.note(
            NoteProgress(
                request=self.request,
                key=f"{outcome.leg_id}:partial",
                stage="in_review",
                tone="bad",
                text=f"A part was paid, the next one failed: {outcome.detail}",
                code=outcome.code,
                open_case="payout_partial",
                tell_partner="payout_partial",
            )
        )
        self.rest_undecided = True
        await self.until(
            lambda: self.partial_accepted or self.take_wish(),
            waiting_for="an operator: pay the rest again (retry) or post only what was paid (resolve as partial)",
        )
        self.rest_undecided = False
        self.enter("paying", searchable=True)

    async def review_post(self, key_number: int) -> None:
        assert self.reason is not None
        self.enter("post_review", searchable=True)
        await self.note(
            NoteProgress(
                request=self.request,
                key=f"post:failed:{self.reason.code}",
                stage="post_review",
                tone="bad",
                text=f"The client has the money, but Fineract has not booked it: {self.reason.detail}",
                code=self.reason.code,
                facts={"next_key": str(key_number), "receipts": ", ".join(paid.receipt for paid in self.payments)},
                open_case="post_failed",
                tell_partner="post_failed",
            )
        )
        if self.reason.code == "disbursed_elsewhere" and not self.told_paid_twice:
            self.told_paid_twice = True
            await self.note(
                NoteProgress(
                    request=self.request,
                    key="post:paid_twice",
                    stage="post_review",
                    tone="bad",
                    text="We paid the client, and somebody else disbursed the loan: if money went out there too, it was "
                    "paid twice.",
                    code=self.reason.code,
                    facts={"receipts": ", ".join(paid.receipt for paid in self.payments)},
                    open_case="paid_twice",
                )
            )
        await self.until(
            lambda: self.posted_by_hand or self.take_wish(),
            timeout=self.request.policy.post_again_every,
            waiting_for="Fineract to take the posting, or an operator who posted it by hand",
        )
        self.enter("posting", searchable=True)

    async def note(self, progress: NoteProgress) -> None:
        await workflow.execute_activity_method(Disbursements.note, progress, **policies.BOOKS.options())

    async def note_leg(self, note: LegNote) -> None:
        await self.note(
            NoteProgress(
                request=self.request,
                key=note.key,
                stage=cast(Stage, self.shown("in_review") if note.in_review else "paying"),
                tone=note.tone,
                text=note.text,
                code=note.code,
                facts=note.facts,
                open_case=note.case,
                tell_partner=note.tell_partner,
            )
        )

    # -------------------------------------------------------------------------------------------------- the messages

    @property
    def other_question(self) -> str | None:
        if self.stage == "post_review":
            return "post"
        return f"rest:{self.legs[-1].instruction.leg_id}" if self.rest_undecided else None

    def judge(self, said: Resolution) -> None:
        fits = {"posted": self.stage == "post_review", "partial": self.rest_undecided}
        if said.decision in ("paid", "not_paid"):
            self.judge_outcome(said, "payout")
        elif not fits.get(said.decision, False):
            self.refuse(said)

    def needs_two(self, decision: str) -> bool:
        """That money did not move frees a second payout (A7), whatever the amount; what is known to have moved does not."""
        return decision == "not_paid"

    def carry_out(self, said: Resolution) -> None:
        if said.decision == "posted":
            self.posted_by_hand = Posted(transaction_id=said.transaction_id, by_hand=True)
        elif said.decision == "partial":
            self.partial_accepted = True
        else:
            self.legs[-1].resolve(said)

    @workflow.signal(name="wallet_credited")
    async def wallet_credited(self) -> None:
        """A hint: money arrived in the wallet. The hold itself decides whether it is enough."""
        self.funds_arrived = True
