"""The words between a saga's collection leg, its activities and the callbacks."""

from pydantic import AwareDatetime, Field

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message, ProviderId
from models.messages.saga.reports import Report
from models.providers import RailName


class PromptInstruction(Message):
    """Ask this payer once. The leg makes the reference of it: `<leg_id>-p1`."""

    leg_id: str
    partner_id: str
    workflow_id: str
    provider: RailName
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
    query_at: AwareDatetime | None = None


class PromptSent(Message):
    """The prompt is on its way; nothing has been paid yet."""

    reference: str
    provider_reference: str | None = None


class QueryPrompt(Message):
    """The order to the querying activity; `begun_at` is when the saga first wanted the prompt, `again_at` when it is asked
    the next time, None for never."""

    instruction: PromptInstruction
    reference: str
    begun_at: AwareDatetime
    again_at: AwareDatetime | None = None


class PromptQueried(Message):
    """`never_sent`: no row of the prompt was ever written, so none left, and the reference is fenced off for good.
    Without a `report` either, there is no id to ask by."""

    never_sent: bool = False
    report: Report | None = None


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
