"""The words of money that comes in: announced payments, prompts to payers, the collection saga."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message, ProviderId
from models.messages.policies import CollectionPolicy
from models.messages.said import Said

Channel = Literal["confirmation", "push", "pull", "statement", "callback", "admin"]
AccountKind = Literal["loan", "savings"]
CollectionStage = Literal[
    "requested", "asking", "in_review", "approval", "identifying", "waiting_account", "posting", "post_review",
    "settling", "completed", "merged", "returned", "failed", "expired", "withdrawn",
]  # fmt: skip
CollectionEnding = Literal["completed", "merged", "returned", "failed", "expired", "withdrawn"]


# ---------------------------------------------------------------------------------------------- payments that came in


class ArrivedPayment(Message):
    """Money that came in, as a saga sees it. `incoming_id` names our row of it: one payment, one row, one saga."""

    incoming_id: str
    provider: Literal["daraja", "bank"]
    external_id: ProviderId
    account: str
    amount: Money
    reference: str
    payer_name: str = ""
    payer_phone: Msisdn | None = None
    happened_at: AwareDatetime
    channel: Channel


class AnnouncedPayment(Message):
    """What a channel announced, before any row or saga of it is known. Kept in the inbox until it was taken in."""

    partner_id: str
    provider: Literal["daraja", "bank"]
    external_id: ProviderId
    account: str
    amount: Money
    reference: str
    payer_name: str = ""
    payer_phone: Msisdn | None = None
    happened_at: AwareDatetime
    channel: Channel


class PaymentTaken(Message):
    """The saga's answer to a payment that arrived."""

    effect: Literal["settled", "agrees", "refused"]
    stage: str


# --------------------------------------------------------------------------------------------------- prompts to payers


class PromptInstruction(Message):
    """Ask this payer once. The leg makes the reference of it: `<leg_id>-p1`."""

    leg_id: str
    partner_id: str
    workflow_id: str
    provider: Literal["daraja", "bank"]
    msisdn: Msisdn
    amount: Money
    payer_reference: str = Field(pattern=r"^[A-Z0-9]{1,12}$")
    description: str = Field(min_length=1, max_length=13)


class SendPrompt(Message):
    """The order to the sending activity; see `SendPayout` for `send_by`."""

    instruction: PromptInstruction
    reference: str
    begun_at: AwareDatetime
    send_by: AwareDatetime


class PromptSent(Message):
    """The prompt is on its way; nothing has been paid yet."""

    reference: str
    provider_reference: str


class AskPrompt(Message):
    """The order to the querying activity; `begun_at` is when the saga first wanted the prompt."""

    instruction: PromptInstruction
    reference: str
    begun_at: AwareDatetime


class PromptReport(Message):
    """What a provider says of a prompt. A hint until it fits the instruction; a query's success names no receipt."""

    reference: str
    source: Literal["callback", "query"]
    state: Literal["paid", "failed", "pending", "unclear"]
    code: str
    detail: str = ""
    provider_reference: str | None = None
    receipt: ProviderId | None = None
    amount: Money | None = None
    party_digits: str | None = None
    happened_at: AwareDatetime | None = None

    @classmethod
    def of(cls, said: Said, reference: str, source: Literal["callback", "query"]) -> Self:
        """All that a provider said of the prompt that was asked about, or to whose address it came."""
        facts = {
            "state": said.state.value, "code": said.code, "detail": said.detail,
            "provider_reference": said.provider_reference, "receipt": said.receipt, "amount": said.amount,
            "party_digits": said.party_digits, "happened_at": said.happened_at,
        }  # fmt: skip
        return cls.model_validate({"reference": reference, "source": source, **facts})


class PromptAsked(Message):
    """`never_sent`: no row of the prompt was ever written, so none left, and the reference is fenced off for good.
    `asks_provider` is False where there is no id to ask by."""

    never_sent: bool = False
    asks_provider: bool = True
    report: PromptReport | None = None


class Collected(Message):
    """The leg's good end: this payment came in. `incoming_id` is None where only the prompt's callback told of it."""

    leg_id: str
    receipt: ProviderId
    amount: Money
    paid_at: AwareDatetime
    incoming_id: str | None = None
    resolved_by: str | None = None


class Uncollected(Message):
    """The leg's other end. `certain`: nothing came. Otherwise nobody ever said; a payment that turns up later gets a saga
    of its own."""

    leg_id: str
    code: str
    detail: str
    certain: bool


# ---------------------------------------------------------------------------------------------------- the collection saga


class Allocation(Message):
    """A part of a payment, for one account. The account's number is what people know; its id is looked up."""

    kind: AccountKind
    account_no: str = Field(min_length=1, max_length=50)
    amount: Money
    accept_overpayment: bool = False


class CollectionRequest(Message):
    """The saga's input: a prompt to send (`ask`) or a payment that has arrived (`arrived`)."""

    collection_id: str
    partner_id: str
    workflow_id: str
    account_ref: str
    amount: Money
    ask: PromptInstruction | None = None
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


# ------------------------------------------------------------------------------------------------------------ the chores


class PullPayments(Message):
    """The input of one pull of a short code's payments."""

    partner_id: str


class PullStatement(Message):
    """The input of one reading of a bank's statement."""

    partner_id: str


class PaymentsPulled(Message):
    """What one pull saw; `recovered` had not been announced before."""

    seen: int = 0
    recovered: int = 0


class CheckAccount(Message):
    """Does anybody have this account? Asked while M-Pesa waits for the validation's answer."""

    partner_id: str
    account_ref: str


class AccountChecked(Message):
    known: bool


class PaymentRecorded(Message):
    """A hook's hint: the core-banking system recorded a payment."""

    partner_id: str
    kind: AccountKind
    account_id: int
    transaction_id: int


class PaymentTold(Message):
    """What became of the hint."""

    told: bool
    why: str
