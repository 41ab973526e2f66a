"""A customer pays the lender: a prompt is answered, or a paybill payment comes by itself; Fineract books it.

    step                     where the money is afterwards
    look at the account      with the customer; nobody is asked to pay into an account that cannot take it
    ask the payer            with the customer, or on the lender's short code (nothing is known until a receipt is)
    claim the payment        on the lender's short code; it is this saga's, whatever else announces it
    find the accounts        the same; if nobody has the account, a person says whose it is
    post to Fineract         booked on the customer's loan or savings account, each part once
    settle                   customer and lender are told

Kivuko never holds this money. Before a receipt is known the saga may end without one; afterwards it goes on until the
payment is booked, or an operator has recorded what was done with it.
"""

from datetime import datetime
from typing import cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.lending.customer_collection import CustomerPayments
    from models.messages.errors import ErrorFacts
    from models.messages.lending.customer_collection import (
        ClaimPayment,
        CollectionEnding,
        CollectionRequest,
        CollectionResult,
        EndCollection,
        IdentifyAccounts,
        PartPosted,
        PlacedPart,
        PostPart,
        SettleCollection,
    )
    from models.messages.saga.arrived_payments import ArrivedPayment
    from models.messages.saga.decisions import Allocation, Resolution
    from models.messages.saga.prompts import Collected
    from models.messages.saga.status import CaseToOpen, Notice
    from workflows.saga import policies
    from workflows.saga.arrived import collected_from
    from workflows.saga.base import EndsUnpaid, StepFailed
    from workflows.saga.decisions import Choice
    from workflows.saga.money_saga import MoneySaga
    from workflows.saga.posting_step import PostingStep

# What Fineract says of an account, as against "not now" or "not you".
_CANNOT_TAKE = frozenset({"unknown_account", "ambiguous_account", "account_closed", "overpayment", "currency_differs"})


@workflow.defn(name="CustomerCollection")
class CustomerCollection(MoneySaga):
    """One payment of one customer, booked exactly once on the right accounts."""

    proposal_stages = ("requested", "prompting", "in_review")

    @workflow.init
    def __init__(self, request: CollectionRequest) -> None:
        super().__init__(request)
        self.request = request
        self.payment = request.arrived
        self.open = request.arrived is None  # a confirmation may come with the saga's first task
        self.allocations: tuple[Allocation, ...] = ()
        self.returned: Resolution | None = None
        self.dispute: ErrorFacts | None = None
        self.placings = 0

    @workflow.run
    async def run(self, request: CollectionRequest) -> CollectionResult:
        return await self.protect(self.collect())

    async def collect(self) -> CollectionResult:
        try:
            collected = await self.receive()
            arrived = await self.claim(collected)
            parts = await self.find_accounts(arrived)
        except EndsUnpaid as end:
            return await self.end_without_posting(end)
        posted = [await self.post_part(arrived, part, number) for number, part in enumerate(parts, start=1)]
        return await self.settle(arrived, parts, tuple(posted))

    # ----------------------------------------------------------------------------------------------------- the steps

    async def receive(self) -> Collected:
        """The payment: it has arrived already, or the payer is asked for it."""
        if self.payment is None:
            self.safe_point()
            unfit = await self.look_at_account()
            if self.payment is None and unfit is not None:
                raise EndsUnpaid("failed", unfit.code, unfit.detail)
        if self.payment is not None:  # before the saga, or while it looked: nobody is asked for a second one
            return collected_from(self.payment, self.request.collection_id)
        assert self.request.prompt is not None
        self.safe_point()
        return await self.prompt(self.request.prompt, self.request.policy.prompt)

    async def look_at_account(self) -> ErrorFacts | None:
        """Why the account cannot take the payment, if so. Where Fineract does not say, the payer is asked all the same: what
        comes in is placed later, by a person if need be."""
        try:
            await self.step(CustomerPayments.look, self.request, "can the account take the payment?", policies.VALIDATE)
        except StepFailed as failed:
            self.reason = None  # no obstacle unless it is one below
            return failed.reason if failed.reason.code in _CANNOT_TAKE else None
        return None

    async def claim(self, collected: Collected) -> ArrivedPayment:
        """One payment is one saga's: if a confirmation started another one for the same receipt, that one books it."""
        self.enter("identifying")
        order = ClaimPayment(request=self.request, collected=collected)
        claimed = await self.step(CustomerPayments.claim, order, "is this payment ours to book?")
        if not claimed.ours:
            raise EndsUnpaid("merged", "booked_elsewhere", f"The same payment is booked by {claimed.claimed_by}.")
        self.payment = claimed.arrived
        if claimed.differs is not None:
            self.dispute = ErrorFacts(kind="rejected", code="payment_differs", detail=claimed.differs)
        return claimed.arrived

    async def find_accounts(self, arrived: ArrivedPayment) -> tuple[PlacedPart, ...]:
        """By account number; where that is unknown, ambiguous, closed or too small, or where the amount was told differently,
        an operator allocates."""
        if self.dispute is not None:
            await self.ask_operator(arrived, self.dispute)
        within = self.request.policy.identify_for
        while True:
            order = IdentifyAccounts(request=self.request, arrived=arrived, allocations=self.allocations)
            try:
                return await self.step(
                    CustomerPayments.identify, order, "find the account", policies.LOOK_UP, within=within
                )
            except StepFailed as failed:
                reason = failed.reason
            if reason.kind == "rejected":
                await self.ask_operator(arrived, reason)
            else:
                await self.wait_for_fineract(reason)

    async def post_part(self, arrived: ArrivedPayment, part: PlacedPart, number: int) -> PartPosted:
        """The lender has the money, so this is tried for ever."""

        async def post(key_number: int) -> PartPosted:
            order = PostPart(request=self.request, arrived=arrived, part=part, number=number, key_number=key_number)
            what, within = f"post {part.kind} payment {number}", self.request.policy.post_for
            return await self.step(CustomerPayments.post_part, order, what, policies.POST, within=within)

        async def review(reason: ErrorFacts, _: int, again_at: datetime) -> None:
            await self.record(
                f"post:{number}:{reason.code}",
                f"The lender has {part.amount}, but Fineract has not booked it: {reason.detail}",
                tone="bad",
                stage="post_review",
                code=reason.code,
                facts={"account_no": part.account_no, "amount": str(part.amount), "kind": part.kind},
                again_at=again_at,
                case=CaseToOpen(kind="post_failed", summary=reason.detail),
            )

        self.posting = PostingStep(
            self,
            f"post:{number}",
            post,
            by_hand=lambda said: PartPosted(transaction_id=said.transaction_id, by_hand=True),
            review=review,
            again_every=self.request.policy.post_again_every,
            retry=self.retry_taken,
        )
        posted: PartPosted = await self.posting.run()
        return posted

    async def settle(
        self, arrived: ArrivedPayment, parts: tuple[PlacedPart, ...], posted: tuple[PartPosted, ...]
    ) -> CollectionResult:
        """Closes the saga's books, tells customer and lender."""
        order = SettleCollection(request=self.request, arrived=arrived, parts=parts, posted=posted)
        await self.end_well(CustomerPayments.settle, order, "tell customer and lender", policies.POST)
        ids = tuple(part.transaction_id for part in posted)
        return CollectionResult(ending="completed", receipt=arrived.external_id, transaction_ids=ids)

    async def end_without_posting(self, end: EndsUnpaid) -> CollectionResult:
        ending = cast(CollectionEnding, end.ending)
        order = EndCollection(request=self.request, ending=ending, code=end.code, detail=end.detail)
        await self.end_unpaid(end, CustomerPayments.end, order, "say why nothing was booked")
        receipt = self.payment.external_id if self.payment else None
        return CollectionResult(ending=ending, receipt=receipt, code=end.code, detail=end.detail)

    # ------------------------------------------------------------------------------------------- waits and decisions

    async def ask_operator(self, arrived: ArrivedPayment, reason: ErrorFacts) -> None:
        """The money is on the lender's short code, and a machine must not guess whose it is."""
        self.placings += 1
        self.enter("waiting_account", searchable=True)
        self.allocations = ()
        facts = {
            "amount": str(arrived.amount),
            "receipt": arrived.external_id,
            "reference": arrived.reference or "-",
            "reason_code": reason.code,
        }
        await self.record(
            f"place:{reason.code}",
            f"{arrived.amount} came in and could not be placed: {reason.detail}",
            tone="bad",
            stage="waiting_account",
            code=reason.code,
            facts={"receipt": arrived.external_id, "amount": str(arrived.amount), "typed": arrived.reference},
            case=CaseToOpen(kind="payment_unplaced", summary=reason.detail, about=reason.code),
            notice=Notice(event="payment_unplaced", facts=facts),
        )
        await self.until(
            lambda: self.allocations or self.returned or self.retry_taken(),
            waiting_for="an operator: whose account is it (allocate), or was it given back (returned)?",
        )
        if self.returned is not None:
            raise EndsUnpaid("returned", "returned", f"Given back by an operator: {self.returned.evidence}")
        self.enter("identifying", searchable=True)

    async def wait_for_fineract(self, reason: ErrorFacts) -> None:
        await self.record(
            f"identify:{reason.code}",
            f"Fineract does not say whose account it is: {reason.detail}",
            tone="warning",
            code=reason.code,
            case=CaseToOpen(kind="core_banking_down", summary=reason.detail),
        )
        timeout = self.request.policy.read_again_every
        await self.until(self.retry_taken, timeout=timeout, waiting_for="Fineract to answer")

    # -------------------------------------------------------------------------------------------------- the messages

    @property
    def other_question(self) -> str | None:
        return f"place:{self.placings}" if self.stage == "waiting_account" else None

    def decisions(self) -> dict[str, Choice]:
        """Besides the outcome of a prompt in doubt: whose account it is, or that the money was given back."""
        if self.stage != "waiting_account":
            return super().decisions()
        return {"allocate": Choice(self.place, check=self.check_parts), "returned": Choice(self.give_back)}

    def check_parts(self, said: Resolution) -> None:
        assert self.payment is not None
        if not said.allocations:
            raise ApplicationError("Name the accounts that the payment belongs to.", type="allocations_missing")
        whole, parts = self.payment.amount, [part.amount for part in said.allocations]
        if {part.currency for part in parts} != {whole.currency} or sum(part.minor for part in parts) != whole.minor:
            raise ApplicationError(f"The parts do not come to the payment, {whole}.", type="allocation_sum")

    def place(self, said: Resolution) -> None:
        self.allocations = said.allocations

    def give_back(self, said: Resolution) -> None:
        self.returned = said
