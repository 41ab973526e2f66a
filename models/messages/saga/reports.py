"""What providers say of a movement of money, whichever way it goes: of a payout's attempt, or of a prompt."""

from typing import Literal, Self

from pydantic import AwareDatetime

from core.money import Money
from models.messages.base import Message, ProviderId

# `pending` and `unclear` are not final. A queried `failed` of a prompt may be wrong while the provider still works on it.
ReportState = Literal["paid", "failed", "pending", "unclear"]
# "query": the provider's answer to a call of ours. "books": our own rows, told to a saga that was reset.
ReportSource = Literal["callback", "timeout_notice", "query", "operator", "books"]


class Report(Message):
    """What a provider (or an operator, with evidence) says of one attempt or prompt, as its wire module reads it. A hint
    until it fits the instruction; the answer to a query may say "paid" and name no receipt. Missing facts are None.

    `code` is the provider's own, always text. `retriable`: a failure after which another attempt makes sense.
    `operator_needed`: our own account or credential is at fault; a person must mend something first.
    """

    source: ReportSource
    state: ReportState
    code: str
    detail: str = ""
    # The provider's word for it, or None, until whoever knows which payment it speaks of writes ours (`about`).
    reference: str | None = None
    provider_reference: str | None = None
    receipt: ProviderId | None = None
    amount: Money | None = None
    party_digits: str | None = None  # the other party's number as the provider gave it, digits only
    happened_at: AwareDatetime | None = None
    retriable: bool = False
    operator_needed: bool = False

    def about(self, reference: str) -> Self:
        """The same of our `reference`: what was queried, or the address that it came to, whatever the body names."""
        return self.model_copy(update={"reference": reference})


class ReportTaken(Message):
    """The saga's answer to a report."""

    effect: Literal["settled", "noted", "agrees", "contradicts"]
    stage: str
