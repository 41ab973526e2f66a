"""What the house asks of providers that bring money in: prompts to payers, and payments that were announced to us.

Value types and one Protocol, as in `providers/ports.py`. Every method raises the errors of `core/errors.py` and nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from core.money import Money
from core.msisdn import Msisdn


@dataclass(frozen=True, slots=True)
class AskOrder:
    """Prompt `msisdn` to pay `amount`. `reference` is ours and stored before the call; providers take none, so an order
    is sent once and never again after a doubtful answer. `payer_reference` is what the payer reads (at most 12
    characters, letters and digits) and what comes back in a confirmation of the same payment."""

    reference: str
    msisdn: Msisdn
    amount: Money
    payer_reference: str
    description: str  # at most 13 characters
    callback_url: str
    send_by: datetime | None = None  # after it the prompt is not handed over any more


@dataclass(frozen=True, slots=True)
class Asked:
    """The prompt is on its way; nothing has been paid. `provider_reference` is needed to query it."""

    provider_reference: str


@dataclass(frozen=True, slots=True)
class AskInquiry:
    """Ask what became of a prompt."""

    reference: str
    provider_reference: str


class AskState(StrEnum):
    """What a report on a prompt says. `pending` and `unclear` are not final, and `failed` may be wrong while the
    provider still works on it: a leg believes a queried failure only when it is repeated."""

    paid = "paid"
    failed = "failed"
    pending = "pending"
    unclear = "unclear"


@dataclass(frozen=True, slots=True)
class AskResult:
    """A report on a prompt, from a callback or a query. Missing facts are None; a query's success names no receipt."""

    state: AskState
    code: str  # the provider's result code, always text
    detail: str
    provider_reference: str | None = None
    receipt: str | None = None
    amount: Money | None = None
    party_digits: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentSeen:
    """Money that came in, as a provider announced it: by confirmation, push, pull or statement.

    `external_id` is the provider's own id of the payment (M-Pesa receipt, bank transaction id), the same on every channel
    that announces it: one payment is one `external_id`. `reference` is what the payer typed, untrusted text.
    """

    external_id: str
    account: str  # where it came in: the short code, the bank account number
    amount: Money
    reference: str
    happened_at: datetime
    payer_name: str = ""
    payer_phone: Msisdn | None = None  # None where the provider masks or hashes it


OddReason = Literal["unreadable", "unknown_type", "not_a_payment"]


@dataclass(frozen=True, slots=True)
class OddRow:
    """A row of a provider's list that is left out of it, told beside the others so that it hides none.

    `row_id` is the same whenever the same row is read again. `not_a_payment` is known to be none of the customers' money (a
    settlement, a fee) and needs nobody; the other two need a person. `detail` can be shown and names no person.
    """

    row_id: str
    reason: OddReason
    detail: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull found: the customers' payments, each once, and the rows that are none or cannot be read."""

    payments: list[PaymentSeen]
    odd: list[OddRow]


class CollectionPort(Protocol):
    """Money in, on our initiative. `ask` is attempted once per call by contract.

    A refusal of our own access (credentials, entitlement, a wrong address) is Transient with `extra["operator_needed"] ==
    "yes"` from `ask`, since nothing left and a person will mend it, and NotAllowed from `query_ask`.
    """

    async def ask(self, order: AskOrder) -> Asked:
        """Rejected or Transient: no prompt was sent. Unknown: one may have been; there is then no id to query with."""

    async def query_ask(self, inquiry: AskInquiry) -> AskResult:
        """Raises Rejected or Transient, never Unknown; an answer that says nothing is `pending`."""


class PullPort(Protocol):
    """The provider's own list of what came in, for announcements that were lost."""

    async def pull_payments(self, start: datetime, end: datetime) -> Pulled: ...
