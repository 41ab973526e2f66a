"""The words of the customer collection saga."""

from typing import Literal

from core.money import Money
from models.messages.base import Message
from models.messages.saga.arrived_payments import ArrivedPayment
from models.messages.saga.decisions import AccountKind, Allocation
from models.messages.saga.policies import CollectionPolicy
from models.messages.saga.prompts import Collected, PromptInstruction
from models.messages.saga.status import SagaRequest

CollectionStage = Literal[
    "requested", "prompting", "in_review", "approval", "identifying", "waiting_account", "posting", "post_review",
    "settling", "completed", "merged", "returned", "failed", "expired", "withdrawn",
]  # fmt: skip


CollectionEnding = Literal["completed", "merged", "returned", "failed", "expired", "withdrawn"]


class CollectionRequest(SagaRequest):
    """The saga's input: a prompt to send (`ask`) or a payment that has arrived (`arrived`)."""

    collection_id: str
    account_ref: str
    amount: Money
    prompt: PromptInstruction | None = None
    arrived: ArrivedPayment | None = None
    policy: CollectionPolicy = CollectionPolicy()


class ClaimPayment(Message):
    """Make the payment this saga's, unless another saga has it."""

    request: CollectionRequest
    collected: Collected


class PaymentClaimed(Message):
    """`ours`, or the workflow that booked it already. `arrived` is the payment as all channels together tell it; `differs`
    says how, where another channel told another amount than this saga heard: a person must look."""

    ours: bool
    claimed_by: str
    arrived: ArrivedPayment
    differs: str | None = None


class IdentifyAccounts(Message):
    """Find the account that a payment names, and see whether it takes the money."""

    request: CollectionRequest
    arrived: ArrivedPayment
    allocations: tuple[Allocation, ...] = ()


class PlacedPart(Message):
    """A part of the payment on one account that was found and takes money."""

    kind: AccountKind
    account_id: int
    account_no: str
    client_id: int | None
    client_name: str
    amount: Money


class PostPart(Message):
    """Book one part in Fineract. `key_number` grows when the server's stored failure must not be replayed."""

    request: CollectionRequest
    arrived: ArrivedPayment
    part: PlacedPart
    number: int
    key_number: int = 1


class PartPosted(Message):
    transaction_id: int | None = None
    left: Money | None = None
    by_hand: bool = False


class SettleCollection(Message):
    """Close the saga's books; tell the customer and the lender."""

    request: CollectionRequest
    arrived: ArrivedPayment
    parts: tuple[PlacedPart, ...]
    posted: tuple[PartPosted, ...]


class EndCollection(Message):
    """The saga ends without a posting of its own."""

    request: CollectionRequest
    ending: CollectionEnding
    code: str
    detail: str


class CollectionResult(Message):
    """The saga's output."""

    ending: CollectionEnding
    receipt: str | None = None
    code: str | None = None
    detail: str | None = None
    transaction_ids: tuple[int | None, ...] = ()
