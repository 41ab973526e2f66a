"""The comparison of a partner's day: what our books, M-Pesa, the bank and Fineract say of the same money."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime

from models.messages.base import Message

# What is compared, each with its own outside system.
Part = Literal["loans", "payments", "mpesa", "bank"]
PARTS: tuple[Part, ...] = ("loans", "payments", "mpesa", "bank")


class ReconcileDay(Message):
    """The input of one comparison. Without a day it is the last one that is over where the partner is."""

    partner_id: str
    day: date | None = None


class DayOfPartner(Message):
    """A day that is being compared, from its first moment to the first that is no more in it."""

    reconciliation_id: str
    partner_id: str
    day: date
    since: AwareDatetime
    until: AwareDatetime
    currency: str


class CheckRows(Message):
    """Compare so many rows of a part at a time, those after `after`."""

    of: DayOfPartner
    part: Part
    after: str = ""
    at_most: int = 100


class RowsChecked(Message):
    """`next_after` is None once every row was looked at."""

    seen: int = 0
    different: int = 0
    next_after: str | None = None


class PartChecked(Message):
    """What became of one part. `not_checked`: the other system did not say, and `detail` why; what was different before
    stays so. `absent`: the partner has no such connection."""

    part: Part
    state: Literal["checked", "not_checked", "absent"]
    seen: int = 0
    different: int = 0
    detail: str = ""


class DayCompared(Message):
    """The end of a comparison."""

    of: DayOfPartner
    parts: tuple[PartChecked, ...]


class Difference(Message):
    """Something that is said differently. `key` is the same whenever the same difference is found; `subject` names what was
    looked at (a workflow, a receipt, an account): if the next look at it finds nothing, the difference is gone."""

    kind: Literal[
        "booked_twice", "booking_missing", "booking_differs", "payment_unknown", "payment_unlisted", "listing_differs",
        "balance_differs",
    ]  # fmt: skip
    key: str
    subject: str
    summary: str
    evidence: dict[str, str] = {}
    workflow_id: str | None = None


class ComparisonsStarted(Message):
    """How many comparisons of days that are over were begun."""

    started: int = 0
