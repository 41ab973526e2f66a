"""What providers say of a movement of money, whichever way it goes: of a payout's attempt, or of a prompt."""

from typing import Any, Literal, Self

from pydantic import AwareDatetime

from core.money import Money
from models.messages.base import Message, ProviderId
from models.messages.said import Said

ReportState = Literal["paid", "failed", "pending", "unclear"]
# "books": our own rows, told to a saga that was reset.
ReportSource = Literal["callback", "timeout_notice", "query", "operator", "books"]


class Report(Message):
    """What a provider (or an operator, with evidence) says of one attempt or prompt. A hint until it fits the instruction;
    the answer to a query may say "paid" and name no receipt.

    `retriable`: a failure after which another attempt makes sense. `operator_needed`: a person must mend something first.
    """

    reference: str
    source: ReportSource
    state: ReportState
    code: str
    detail: str = ""
    provider_reference: str | None = None
    receipt: ProviderId | None = None
    amount: Money | None = None
    party_digits: str | None = None
    happened_at: AwareDatetime | None = None
    retriable: bool = False
    operator_needed: bool = False

    @classmethod
    def of(cls, said: Said, reference: str, source: ReportSource, **instead: Any) -> Self:
        """All that a provider said. `reference` is ours: what was queried, or the address that it came to, whatever the
        provider's own words name. `instead` is what we know better."""
        facts = {
            "state": said.state.value, "code": said.code, "detail": said.detail,
            "provider_reference": said.provider_reference, "receipt": said.receipt, "amount": said.amount,
            "party_digits": said.party_digits, "happened_at": said.happened_at,
            "retriable": getattr(said, "retriable", False), "operator_needed": getattr(said, "operator_needed", False),
        }  # fmt: skip
        return cls.model_validate({"reference": reference, "source": source, **facts, **instead})


class ReportTaken(Message):
    """The saga's answer to a report."""

    effect: Literal["settled", "noted", "agrees", "contradicts"]
    stage: str
