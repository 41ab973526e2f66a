"""The words between a saga's payout leg, its activities and the callbacks."""

from typing import Literal, Self

from pydantic import AwareDatetime, model_validator

from core.money import Money
from core.msisdn import Msisdn
from models.messages.base import Message
from models.messages.saga.reports import Report
from models.providers import RailName


class BankOrder(Message):
    """A payout from an account at the partner's bank: to another account, or into mobile-money float."""

    kind: Literal["bank_transfer", "float_purchase"]
    source_account: str
    source_name: str
    account: str  # where it goes: an account number, or the short code whose float is bought
    name: str
    bank_code: str | None = None  # of another bank, for PesaLink
    operator: Literal["mpesa", "airtel", "mtn"] | None = None


class PayoutInstruction(Message):
    """Pay this once, to a phone (`msisdn`) or as a bank order. The leg makes references of it: `<leg_id>-a1`, `-a2` …

    `role` and `part` say which of its saga's payments it is ("client", 2); at most one attempt of a part may ever have
    been paid. `begun_at` is when the saga first wanted it: whether a missing row proves anything depends on it."""

    leg_id: str
    role: str
    part: int = 1
    begun_at: AwareDatetime
    partner_id: str
    workflow_id: str
    provider: RailName
    msisdn: Msisdn | None = None
    bank: BankOrder | None = None
    amount: Money
    remarks: str

    @model_validator(mode="after")
    def _one_destination(self) -> Self:
        if (self.msisdn is None) == (self.bank is None):
            raise ValueError("a payout goes to a phone or to an account: name one of them")
        return self

    @property
    def destination(self) -> Msisdn | BankOrder:
        to = self.bank if self.msisdn is None else self.msisdn
        assert to is not None
        return to

    @property
    def to(self) -> str:
        """Where it goes, safe to show."""
        if self.msisdn is not None:
            return self.msisdn.masked
        assert self.bank is not None
        return f"{self.bank.name} {self.bank.account}"


class PreviousFailure(Message):
    """What ended the attempt before, so that its row is closed before a new reference is used."""

    reference: str
    code: str
    detail: str


class SendPayout(Message):
    """The order to the sending activity. After `send_by` it must not leave any more: a process that was paused and wakes
    up then counts as one that never sent. `query_at` is when its status is asked, if nobody has told by then."""

    instruction: PayoutInstruction
    reference: str
    number: int
    send_by: AwareDatetime
    query_at: AwareDatetime | None = None
    previous: PreviousFailure | None = None


class PayoutAccepted(Message):
    """The provider queued the instruction; nothing has been paid yet."""

    reference: str
    provider_reference: str | None = None
    # Where the provider's answer itself is final (a bank's internal transfer), or our own rows know better: what it said.
    report: Report | None = None


class QueryPayout(Message):
    """The order to the querying activity. `again_at` is when it is asked the next time, None for never."""

    instruction: PayoutInstruction
    reference: str
    number: int
    again_at: AwareDatetime | None = None


class PayoutQueried(Message):
    """`never_sent`: there was no attempt row, so nothing had left, and the reference is now fenced off for good.
    `report` is what was answered at once; `by_callback`: the answer comes as a report, or never. With none of the three
    the rail has nothing to ask by, so that no answer can be waited for."""

    never_sent: bool = False
    by_callback: bool = False
    report: Report | None = None


class Paid(Message):
    """The leg's good end."""

    leg_id: str
    reference: str
    receipt: str
    amount: Money
    paid_at: AwareDatetime
    resolved_by: str | None = None


class Unpaid(Message):
    """The leg's other end: known not to have happened."""

    leg_id: str
    code: str
    detail: str
    reference: str | None = None
    ending: str | None = None  # the saga's own word, where a look before a send found that nothing is to be paid
