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

from typing import cast

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.lending.customer_collection import CustomerPayments
    from models.messages.errors import ErrorFacts
    from models.messages.lending.customer_collection import (
        Allocation,
        ClaimPayment,
        CollectionEnding,
        CollectionRequest,
        CollectionResult,
        EndCollection,
        IdentifyAccounts,
        PartPosted,
        PaymentClaimed,
        PlacedPart,
        PostPart,
        SettleCollection,
    )
    from models.messages.saga.arrived_payments import ArrivedPayment
    from models.messages.saga.decisions import Resolution
    from models.messages.saga.prompts import Collected
    from models.messages.saga.status import CaseToOpen, Progress
    from workflows.saga import policies
    from workflows.saga.base import EndsUnpaid
    from workflows.saga.collecting import CollectingSaga, collected_from
    from workflows.saga.failures import facts_of

# What Fineract says of an account, as against "not now" or "not you".
_CANNOT_TAKE = frozenset({"unknown_account", "ambiguous_account", "account_closed", "overpayment", "currency_differs"})


@workflow.defn(name="CustomerCollection")
class CustomerCollection(CollectingSaga):
    """One payment of one customer, booked exactly once on the right accounts."""

    proposal_stages = ("requested", "asking", "in_review")

    @workflow.init
    def __init__(self, request: CollectionRequest) -> None:
        super().__init__()
        self.request = request
        self.workflow_id, self.partner_id = request.workflow_id, request.partner_id
        self.payment = request.arrived
        self.open = request.arrived is None  # a confirmation may come with the saga's first task
        self.allocations: tuple[Allocation, ...] = ()
        self.returned: Resolution | None = None
        self.posted_by_hand: Resolution | None = None
        self.dispute: ErrorFacts | None = None
        self.placings = 0
        self.part_in_review = 0

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
        assert self.request.ask is not None
        self.safe_point()
        return await self.ask(self.request.ask, self.request.policy.prompt)

    async def look_at_account(self) -> ErrorFacts | None:
        """Why the account cannot take the payment, if so. Where Fineract does not say, the payer is asked all the same: what
        comes in is placed later, by a person if need be."""
        try:
            await workflow.execute_activity_method(
                CustomerPayments.look,
                self.request,
                summary="can the account take the payment?",
                **policies.VALIDATE.options(),
            )
        except ActivityError as error:
            reason = facts_of(error)
            return reason if reason.code in _CANNOT_TAKE else None
        return None

    async def claim(self, collected: Collected) -> ArrivedPayment:
        """One payment is one saga's: if a confirmation started another one for the same receipt, that one books it."""
        self.enter("identifying")
        claimed: PaymentClaimed = await workflow.execute_activity_method(
            CustomerPayments.claim,
            ClaimPayment(request=self.request, collected=collected),
            summary="is this payment ours to book?",
            **policies.BOOKS.options(),
        )
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
        while True:
            try:
                return await workflow.execute_activity_method(
                    CustomerPayments.identify,
                    IdentifyAccounts(request=self.request, arrived=arrived, allocations=self.allocations),
                    summary="find the account",
                    **policies.LOOK_UP.options(schedule_to_close=self.request.policy.identify_for),
                )
            except ActivityError as error:
                reason = self.failed(error)
            if reason.kind == "rejected":
                await self.ask_operator(arrived, reason)
            else:
                await self.wait_for_fineract(reason)

    async def post_part(self, arrived: ArrivedPayment, part: PlacedPart, number: int) -> PartPosted:
        """The lender has the money, so this is tried for ever: fast at first, then slowly with an open case."""
        self.enter("posting")
        key_number = 1
        while True:
            try:
                return await workflow.execute_activity_method(
                    CustomerPayments.post_part,
                    PostPart(request=self.request, arrived=arrived, part=part, number=number, key_number=key_number),
                    summary=f"post {part.kind} payment {number}",
                    **policies.POST.options(schedule_to_close=self.request.policy.post_for),
                )
            except ActivityError as error:
                reason = self.failed(error)
            if reason.extra.get("new_key") == "yes":
                key_number += 1  # Fineract replays a stored failure under the same key for ever
            await self.review_post(part, number, reason)
            if self.posted_by_hand is not None:
                by_hand, self.posted_by_hand = self.posted_by_hand, None
                return PartPosted(transaction_id=by_hand.transaction_id, by_hand=True)

    async def settle(
        self, arrived: ArrivedPayment, parts: tuple[PlacedPart, ...], posted: tuple[PartPosted, ...]
    ) -> CollectionResult:
        """Closes the saga's books, tells customer and lender."""
        self.enter("settling")
        await workflow.execute_activity_method(
            CustomerPayments.settle,
            SettleCollection(request=self.request, arrived=arrived, parts=parts, posted=posted),
            summary="tell customer and lender",
            **policies.POST.options(),
        )
        self.reason = None
        self.enter("completed", searchable=True)
        return CollectionResult(
            ending="completed",
            receipt=arrived.external_id,
            transaction_ids=tuple(part.transaction_id for part in posted),
        )

    async def end_without_posting(self, end: EndsUnpaid) -> CollectionResult:
        ending = cast(CollectionEnding, end.ending)
        self.open = False
        await workflow.execute_activity_method(
            CustomerPayments.end,
            EndCollection(request=self.request, ending=ending, code=end.code, detail=end.detail),
            summary="say why nothing was booked",
            **policies.BOOKS.options(),
        )
        self.reason = ErrorFacts(kind="rejected", code=end.code, detail=end.detail)
        self.enter(end.ending, searchable=True)
        receipt = self.payment.external_id if self.payment else None
        return CollectionResult(ending=ending, receipt=receipt, code=end.code, detail=end.detail)

    # ------------------------------------------------------------------------------------------- waits and decisions

    async def ask_operator(self, arrived: ArrivedPayment, reason: ErrorFacts) -> None:
        """The money is on the lender's short code, and a machine must not guess whose it is."""
        self.placings += 1
        self.enter("waiting_account", searchable=True)
        self.allocations = ()
        await self.note(
            Progress(
                workflow_id=self.workflow_id,
                partner_id=self.partner_id,
                key=f"place:{reason.code}",
                text=f"{arrived.amount} came in and could not be placed: {reason.detail}",
                tone="bad",
                stage="waiting_account",
                code=reason.code,
                facts={"receipt": arrived.external_id, "amount": str(arrived.amount), "typed": arrived.reference},
                case=CaseToOpen(
                    kind="payment_unplaced", summary=reason.detail, actions=("allocate", "returned"), about=reason.code
                ),
                tell_partner="payment_unplaced",
                notice={
                    "amount": str(arrived.amount),
                    "receipt": arrived.external_id,
                    "reference": arrived.reference or "-",
                    "reason_code": reason.code,
                },
            )
        )
        await self.until(
            lambda: self.allocations or self.returned or self.take_wish(),
            waiting_for="an operator: whose account is it (allocate), or was it given back (returned)?",
        )
        if self.returned is not None:
            raise EndsUnpaid("returned", "returned", f"Given back by an operator: {self.returned.evidence}")
        self.enter("identifying", searchable=True)

    async def wait_for_fineract(self, reason: ErrorFacts) -> None:
        await self.note(
            Progress(
                workflow_id=self.workflow_id,
                partner_id=self.partner_id,
                key=f"identify:{reason.code}",
                text=f"Fineract does not say whose account it is: {reason.detail}",
                tone="warning",
                code=reason.code,
                case=CaseToOpen(kind="core_banking_down", summary=reason.detail, actions=("retry",)),
            )
        )
        await self.until(self.take_wish, timeout=self.request.policy.read_again_every, waiting_for="Fineract to answer")

    async def review_post(self, part: PlacedPart, number: int, reason: ErrorFacts) -> None:
        self.part_in_review = number
        self.enter("post_review", searchable=True)
        await self.note(
            Progress(
                workflow_id=self.workflow_id,
                partner_id=self.partner_id,
                key=f"post:{number}:{reason.code}",
                text=f"The lender has {part.amount}, but Fineract has not booked it: {reason.detail}",
                tone="bad",
                stage="post_review",
                code=reason.code,
                facts={"account_no": part.account_no, "amount": str(part.amount), "kind": part.kind},
                case=CaseToOpen(kind="post_failed", summary=reason.detail, actions=("posted", "retry")),
            )
        )
        await self.until(
            lambda: self.posted_by_hand or self.take_wish(),
            timeout=self.request.policy.post_again_every,
            waiting_for="Fineract to take the posting, or an operator who posted it by hand",
        )
        self.enter("posting", searchable=True)

    # -------------------------------------------------------------------------------------------------- the messages

    @property
    def other_question(self) -> str | None:
        if self.stage == "waiting_account":
            return f"place:{self.placings}"
        return f"post:{self.part_in_review}" if self.stage == "post_review" else None

    def judge(self, said: Resolution) -> None:
        fits = {
            "allocate": self.stage == "waiting_account",
            "returned": self.stage == "waiting_account",
            "posted": self.stage == "post_review",
        }
        if said.decision in ("paid", "not_paid"):
            self.judge_outcome(said)
        elif not fits.get(said.decision, False):
            self.refuse(said)
        if said.decision == "allocate":
            self.judge_parts(said)

    def judge_parts(self, said: Resolution) -> None:
        assert self.payment is not None
        if not said.allocations:
            raise ApplicationError("Name the accounts that the payment belongs to.", type="allocations_missing")
        whole, parts = self.payment.amount, [part.amount for part in said.allocations]
        if {part.currency for part in parts} != {whole.currency} or sum(part.minor for part in parts) != whole.minor:
            raise ApplicationError(f"The parts do not come to the payment, {whole}.", type="allocation_sum")

    def needs_two(self, decision: str) -> bool:
        """That money did not come, against a provider who says that it did, is not for one person to say (A7)."""
        return decision == "not_paid"

    def carry_out(self, said: Resolution) -> None:
        if said.decision == "allocate":
            self.allocations = said.allocations
        elif said.decision == "returned":
            self.returned = said
        elif said.decision == "posted":
            self.posted_by_hand = said
        else:
            assert self.leg is not None
            self.leg.resolve(said)
