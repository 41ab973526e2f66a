"""What providers that bring money in are asked and tell us: prompts to payers, and payments that were announced to us.

Value types, as in `providers/ports.py`, which has the port.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.money import Money
from core.msisdn import Msisdn


@dataclass(frozen=True, slots=True)
class PromptOrder:
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
class PromptQuery:
    """Ask what became of a prompt, by the provider's own id: no provider takes ours."""

    reference: str
    provider_reference: str


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
