"""What the pages of all sagas show: attempts, prompts, the running saga's own words, the timeline, commands."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from api.http.values import Body, MoneyOut, Note, Out, example, id_pattern
from core.ids import DECISION, PARTNER
from core.money import Money
from core.msisdn import Msisdn
from models.messages.saga.decisions import Verdict
from models.messages.saga.status import LegStatus, Offer, SagaStatus
from models.statuses import Status, status_of
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt
from models.tables.saga.prompt import Prompt
from models.tables.saga.saga_event import SagaEvent
from models.tables.saga.saga_row import SagaRow

# The proposal that an approval or refusal is meant for: `saga.proposal.decision_id` of the page that was looked at.
ProposalId = Annotated[
    str,
    Field(
        strict=True,
        pattern=id_pattern(DECISION),
        description="The proposal that is approved or declined; by default the one that waits",
    ),
]


def masked(msisdn: str | None) -> str | None:
    """A stored phone number as it may be shown."""
    return Msisdn(msisdn).masked if msisdn else None


ClientReference = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:#/\-]*$"),
]
MetadataKey = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_.\-]{0,39}$")]
MetadataValue = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class StartIn(Body):
    """What every request for a payment may name. The partner is the key's own, and is named only by keys of the house.
    `client_reference` and `metadata` are the caller's own: kept, given back, never read by us; no personal data belongs
    there."""

    partner_id: str | None = Field(default=None, strict=True, pattern=id_pattern(PARTNER))
    client_reference: ClientReference | None = Field(
        default=None, description="Your own name for it, by which lists find it; need not be unique"
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=20, description="Your own notes on it")

    def mark(self, row: SagaRow) -> None:
        """Writes the caller's own words into the row."""
        row.client_reference, row.client_metadata = self.client_reference, self.metadata or None


class SagaOut(Out):
    """What the rows of all sagas of money have in common. `status` is how far it is in words that all kinds share, `stage`
    in its own."""

    id: str
    partner_id: str
    status: Status
    stage: str
    ended: bool
    reason_code: str | None
    reason: str | None
    requested_by: str
    workflow_id: str
    client_reference: str | None
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None

    @classmethod
    def plain(cls, row: SagaRow) -> dict[str, Any]:
        """The fields that are columns of the row, and what follows from them."""
        ended = row.ended_at is not None
        return {
            **{name: getattr(row, name) for name in cls.model_fields if name in type(row).model_fields},
            "ended": ended,
            "status": status_of(row.stage, ended=ended),
            "metadata": row.client_metadata or {},
        }


class AttemptOut(Out):
    """One instruction to the provider: to a phone, which is masked, or to an account. `void`: declared never sent, and now
    it never can be."""

    model_config = example(
        reference="pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1", leg_id="pay_01ktv0r5m8e9a7d3c2b4x6y8z0", number=1,
        provider="daraja", state="accepted", amount={"amount": "12500.00", "currency": "KES"}, to="+2547•••••678",
        provider_reference="AG_20261121_201036b2c9e14f77a0d8", receipt=None, code=None, detail=None,
        created_at="2026-11-21T06:14:04Z", updated_at="2026-11-21T06:14:05Z",
    )  # fmt: skip

    reference: str
    leg_id: str
    number: int
    provider: str
    state: str
    amount: MoneyOut
    to: str
    provider_reference: str | None
    receipt: str | None
    code: str | None
    detail: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: PayoutAttempt) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
                "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
                "to": masked(row.msisdn) or row.destination,
            }
        )


class ChargeHeld(Out):
    """One amount that is set aside in the wallet now."""

    charge: str
    amount: MoneyOut


class PromptOut(Out):
    """One prompt to a payer's phone, which is masked. `void`: declared never sent, and now it never can be."""

    model_config = example(
        reference="ask_01ktv0r5m8e9a7d3c2b4x6y8z0-p1", provider="daraja", state="asked", to="+2547•••••678",
        amount={"amount": "500.00", "currency": "KES"}, payer_reference="KVC7F3A9C2E",
        provider_reference="ws_CO_21112026091403_12345", code=None, detail=None, created_at="2026-11-21T06:14:04Z",
        updated_at="2026-11-21T06:14:05Z",
    )  # fmt: skip

    reference: str
    provider: str
    state: str
    to: str
    amount: MoneyOut
    payer_reference: str
    provider_reference: str | None
    code: str | None
    detail: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Prompt) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
                "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
                "to": masked(row.msisdn),
            }
        )


class PaymentOut(Out):
    """The payment that came in, as the channels in `announced` told of it. `external_id` is the provider's own id: the
    M-Pesa receipt, the bank's transaction. `reference` and `payer_name` are what people typed: no evidence of anything."""

    model_config = example(
        id="inp_01ktv0r5m8e9a7d3c2b4x6y8z0", provider="bank", external_id="FT26325X7K", account="1000200030",
        amount={"amount": "5000.00", "currency": "KES"}, reference="KVT7F3A9C2E float", payer_name="JAZA SACCO",
        payer_phone=None, happened_at="2026-11-21T06:14:03Z", announced=["push"],
    )  # fmt: skip

    id: str
    provider: str
    external_id: str
    account: str
    amount: MoneyOut
    reference: str
    payer_name: str
    payer_phone: str | None
    happened_at: datetime
    announced: list[str]

    @classmethod
    def of(cls, row: IncomingPayment) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)},
                "amount": MoneyOut.of(Money(row.amount_minor, row.currency)),
                "payer_phone": masked(row.payer_phone),
            }
        )


class LegOut(Out):
    """A payout or a prompt as the running saga sees it."""

    leg_id: str
    state: str
    amount: MoneyOut
    to: str
    reference: str | None
    receipt: str | None
    attempts: int
    last_said: str | None

    @classmethod
    def of(cls, leg: LegStatus) -> Self:
        return cls.model_validate(leg, from_attributes=True)


class ProposedOut(Out):
    """A decision that waits for others to approve or decline it; `request_id` is what they answer."""

    model_config = example(
        decision_id="dec_01ktv0r5m8e9a7d3c2b4x6y8z0", request_id="apr_01ktv0r5m8e9a7d3c2b4x6y8z0",
        decision="not_paid", evidence="The portal knows no such payout.", receipt=None,
        person_id="psn_01ktv0r5m8e9a7d3c2b4x6y8z0",
    )  # fmt: skip

    decision_id: str
    request_id: str
    decision: str
    evidence: str
    receipt: str | None
    person_id: str


class OfferOut(Out):
    """A decision or command ("retry", "cancel") that fits the stage. `refused` says why it would not be taken now."""

    model_config = example(word="not_paid", refused=None, two_people=True)

    word: str
    refused: str | None
    two_people: bool

    @classmethod
    def of(cls, offer: Offer) -> Self:
        return cls(word=offer.word, refused=offer.refused, two_people=offer.two_people)


class SagaNow(Out):
    """What the running saga says of itself; absent if it has ended, or did not answer in time. `offers` is what people may
    say to it at this stage."""

    model_config = example(
        stage="paying", waiting_for="M-Pesa's report", since="2026-11-21T06:14:05Z", legs=[], reason_code=None,
        reason=None, proposal=None, offers=[{"word": "retry", "refused": None, "two_people": False}],
    )  # fmt: skip

    stage: str
    waiting_for: str | None
    since: datetime
    legs: list[LegOut]
    reason_code: str | None
    reason: str | None
    proposal: ProposedOut | None
    offers: list[OfferOut]

    @classmethod
    def of(cls, status: SagaStatus) -> Self:
        return cls(
            stage=status.stage,
            waiting_for=status.waiting_for,
            since=status.since,
            legs=[LegOut.of(leg) for leg in status.legs],
            reason_code=status.reason_code,
            reason=status.reason,
            proposal=ProposedOut.model_validate(status.proposal.model_dump()) if status.proposal else None,
            offers=[OfferOut.of(offer) for offer in status.offers or ()],
        )


class EventOut(Out):
    """One line of the timeline."""

    model_config = example(
        at="2026-11-21T06:14:04Z", tone="good", text="M-Pesa paid KES 12,500.00, receipt UKL4X7QW2D.",
        facts={"receipt": "UKL4X7QW2D"}, key="pay_…-a1:paid",
    )  # fmt: skip

    at: datetime
    tone: Literal["info", "good", "warning", "bad"]
    text: str
    facts: dict[str, Any]
    key: str

    @classmethod
    def of(cls, row: SagaEvent) -> Self:
        return cls.model_validate(row, from_attributes=True)


class Timeline(Out):
    """A saga's whole history, oldest first."""

    items: list[EventOut]


class DecisionIn(Body):
    """A person's decision as a saga's own page takes it. Its fields are those of `Verdict` that the kind of saga knows."""

    @property
    def verdict(self) -> Verdict:
        return Verdict.model_validate(self.model_dump())


class CommandIn(Body):
    """A note for the record."""

    model_config = example(note="the lender asks for it")

    note: Note = ""


class CommandTakenOut(Out):
    """The saga took the command; `stage` is where it was then."""

    model_config = example(id="top_01ktv0r5m8e9a7d3c2b4x6y8z0", stage="waiting_money", at="2026-11-21T06:14:05Z")

    id: str
    stage: str
    at: datetime
