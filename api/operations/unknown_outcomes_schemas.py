"""The missing-callback desk: what was sent and never answered, asked about and decided, singly or from a file."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints

from api.http.values import Body, MoneyOut, Out, example
from api.saga.links import LINK, SagaLink
from core.desk_files import AT_MOST, LONGEST, REFERENCE, SHORTEST
from store.saga.unknown_outcomes import UnknownOutcome

_ASKED: dict[str, Any] = {
    "line": 2, "reference": "AG_20261121_201036b2c9e14f77a0d8", "result": "asked", "detail": None, "saga": LINK,
}  # fmt: skip


class UnknownOutcomeOut(Out):
    """One instruction whose outcome nobody has told. `since` is when its state last changed; the phone is masked."""

    model_config = example(
        reference="pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1", kind="payout", provider="daraja",
        provider_reference="AG_20261121_201036b2c9e14f77a0d8", state="accepted",
        partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0", amount={"amount": "12500.00", "currency": "KES"},
        to="+2547•••••678", sent_at="2026-11-21T06:14:04Z", since="2026-11-21T06:14:05Z", age_seconds=900, saga=LINK,
        case_id="cas_01ktv0r5m8e9a7d3c2b4x6y8z0",
    )  # fmt: skip

    reference: str
    kind: Literal["payout", "prompt"]
    provider: str
    provider_reference: str | None
    state: str
    partner_id: str
    amount: MoneyOut
    to: str
    sent_at: datetime
    since: datetime
    age_seconds: int
    saga: SagaLink
    case_id: str | None = Field(description="The newest open case of its saga, if one is open")

    @classmethod
    def of(cls, found: UnknownOutcome, now: datetime) -> Self:
        sent = found.sent
        return cls.model_validate(
            {
                **{name: getattr(sent, name) for name in cls.model_fields if hasattr(sent, name)},
                "amount": MoneyOut.of(sent.amount),
                "age_seconds": int((now - sent.since).total_seconds()),
                "saga": SagaLink.to(sent.workflow_id, found.saga_id, found.stage, ended=False),
                "case_id": found.case_id,
            }
        )


class UnknownAsk(Body):
    """References, ours or the provider's, whose outcome is to be asked for now."""

    model_config = example(references=["AG_20261121_201036b2c9e14f77a0d8", "pay_01ktv0r5m8e9a7d3c2b4x6y8z0-a1"])

    references: list[
        Annotated[str, StringConstraints(strict=True, min_length=SHORTEST, max_length=LONGEST, pattern=REFERENCE)]
    ] = Field(min_length=1, max_length=AT_MOST)


AskResult = Literal[
    "asked", "saga_ended", "unknown_reference", "not_waiting", "ambiguous_reference", "not_allowed", "busy"
]
ResolveResult = Literal[
    "taken", "saga_ended", "unknown_reference", "not_waiting", "ambiguous_reference", "not_allowed", "receipt_taken",
    "refused", "busy",
]  # fmt: skip


class AskedRow(Out):
    """What became of one reference, in the order given. `line` is where it stands in the file, or its place in the list.

    `asked`: its saga asks the provider now. `not_waiting`: its outcome is known, or its saga waits for nothing.
    `ambiguous_reference`: several payments bear it. `busy`: it could not be told now; repeat it."""

    model_config = example(**_ASKED)

    line: int
    reference: str
    result: AskResult
    detail: str | None
    saga: SagaLink | None


class Asked(Out):
    """One answer per reference."""

    model_config = example(items=[_ASKED])

    items: list[AskedRow]


class ResolvedRow(Out):
    """What became of one decision. `taken`: its saga has it, and goes on, or waits for a second person where two are
    needed. `refused`: the saga says why in `detail`. Nothing else was done for a row that is not `taken`."""

    model_config = example(**{**_ASKED, "result": "taken"})

    line: int
    reference: str
    result: ResolveResult
    detail: str | None
    saga: SagaLink | None


class Resolved(Out):
    """One answer per row, in the order of the file."""

    model_config = example(items=[{**_ASKED, "result": "taken"}])

    items: list[ResolvedRow]
