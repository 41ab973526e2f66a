"""The small jobs on a connection: it is tried, registered for announcements, asked for balances."""

from datetime import timedelta
from typing import Literal

from core.msisdn import Msisdn
from models.messages.base import Message
from models.messages.connections.sealed import SealedConnection


class CheckConnection(Message):
    """`answer_within`: how long an answer that comes by callback is waited for."""

    connection: SealedConnection
    answer_within: timedelta = timedelta(seconds=8)


class ConnectionChecked(Message):
    """`ok`, or why not: `code` is an error code of ours, `field` the setting to blame where one is.

    `certain` is False where only a part is known to work: M-Pesa's token proves the app, and no more than the answer to a
    question about the balance proves the short code and the initiator. `identity` is what a server says of itself that
    every one of its addresses shares, None where it says too little to tell.
    """

    ok: bool
    code: str | None = None
    detail: str | None = None
    field: str | None = None
    certain: bool = True
    identity: str | None = None


class BalanceTold(Message):
    """What M-Pesa answered to the question about a short code's balance: a refusal has a code. `certain` is False where
    the answer says nothing of the short code (M-Pesa was busy)."""

    ok: bool
    certain: bool = True
    code: str | None = None
    detail: str | None = None


class RegisterPaybill(Message):
    """Have M-Pesa announce payments to the partner's short code, and list them. `nominated` is the number on the short
    code's record at Safaricom; `unanswered` is what becomes of a payment that we do not validate in time."""

    partner_id: str
    nominated: Msisdn
    unanswered: Literal["Completed", "Cancelled"] = "Completed"


class PaybillRegistered(Message):
    """True for what is newly registered, False for what was before: then the old addresses stay."""

    announcements: bool
    pull: bool


class WatchConnection(Message):
    """What every schedule of a partner's connection starts its workflow with."""

    partner_id: str


class QueryBalance(Message):
    partner_id: str
