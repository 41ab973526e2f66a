"""How things go: rates, balances, lines, messages, connections, queues, what runs by the clock."""

from datetime import datetime
from typing import Any

from pydantic import Field

from api.http.values import MoneyOut, Out, example
from api.operations.unknown_outcomes_schemas import UnknownOutcomeOut

_PARTNER: dict[str, Any] = {"partner_id": "prt_01ktv0r5m8e9a7d3c2b4x6y8z0", "lender": "Jaza Sacco"}
_MONEY: dict[str, Any] = {"amount": "12500.00", "currency": "KES"}
_RATE: dict[str, Any] = {
    "kind": "loan-disbursement", "hours": 24, "completed": 118, "failed": 2, "cancelled": 1, "under_way": 3,
    "success": 0.9833,
}  # fmt: skip
_WALLET: dict[str, Any] = {
    **_PARTNER,
    "balance": _MONEY,
    "held": _MONEY,
    "available": _MONEY,
    "alert": _MONEY,
    "low": False,
}
_FLOAT: dict[str, Any] = {
    **_PARTNER, "provider": "daraja", "account": "Utility Account", "balance": _MONEY, "told_at": "2026-11-21T06:14:03Z",
}  # fmt: skip
_SHORT: dict[str, Any] = {
    **_PARTNER, "waiting": 3, "needed": _MONEY, "available": _MONEY, "short": _MONEY, "since": "2026-11-21T06:14:03Z",
    "says": "short by KES 12,500.00 for 3 payments",
}  # fmt: skip
_MESSAGES: dict[str, Any] = {
    "channel": "sms", "sent": 240, "delivered": 236, "undelivered": 2, "silent": 2, "failed": 1, "unclear": 0, "waiting": 0,
}  # fmt: skip
_CONNECTION: dict[str, Any] = {
    **_PARTNER, "provider": "daraja", "status": "ok", "checked_at": "2026-11-21T06:14:03Z", "detail": None, "calls": 310,
    "failed_calls": 0, "median_ms": 240, "answered_at": "2026-11-21T07:14:03Z",
}  # fmt: skip
_OUTAGE: dict[str, Any] = {
    **_PARTNER, "provider": "daraja", "in_a_row": 9, "since": "2026-11-21T07:02:11Z", "last_failure": "not_reached",
    "everywhere": True,
}  # fmt: skip
_QUEUE: dict[str, Any] = {"queue": "kivuko-mpesa", "known": True, "pollers": 2, "backlog": 0, "oldest_seconds": 0}
_SCHEDULE: dict[str, Any] = {
    "schedule": "sweep", "partner_id": None, "every_seconds": 30, "ran_at": "2026-11-21T07:14:03Z", "late": False,
}  # fmt: skip


class RateOut(Out):
    """Payments of one kind that were asked for in the last `hours`, by how they are now. `success` is the part of those
    that ended, cancelled ones left out, that completed; null while none did."""

    model_config = example(**_RATE)

    kind: str
    hours: int
    completed: int
    failed: int
    cancelled: int
    under_way: int
    success: float | None


class WalletState(Out):
    """A lender's wallet. `low`: less is available than its alert."""

    model_config = example(**_WALLET)

    partner_id: str
    lender: str | None
    balance: MoneyOut
    held: MoneyOut
    available: MoneyOut
    alert: MoneyOut
    low: bool


class FloatState(Out):
    """What a provider last told of a lender's own account there."""

    model_config = example(**_FLOAT)

    partner_id: str
    lender: str | None
    provider: str
    account: str
    balance: MoneyOut
    told_at: datetime


class ShortOut(Out):
    """What waits before a lender's wallet, and how much is missing for all of it."""

    model_config = example(**_SHORT)

    partner_id: str
    lender: str | None
    waiting: int
    needed: MoneyOut
    available: MoneyOut
    short: MoneyOut
    since: datetime
    says: str


class MessagesOut(Out):
    """Messages of the last 24 hours. Of those that were sent, `silent` are without a report for too long."""

    model_config = example(**_MESSAGES)

    channel: str
    sent: int
    delivered: int
    undelivered: int
    silent: int
    failed: int
    unclear: int
    waiting: int


class ConnectionState(Out):
    """A connection, and the calls to it in the last hour. A refusal is an answer; a failed call had none."""

    model_config = example(**_CONNECTION)

    partner_id: str
    lender: str | None
    provider: str
    status: str
    checked_at: datetime | None
    detail: str | None
    calls: int
    failed_calls: int
    median_ms: int | None
    answered_at: datetime | None


class OutageOut(Out):
    """A connection whose last calls, five or more, all failed. `everywhere`: nobody else's calls to this provider were
    answered in the last hour either."""

    model_config = example(**_OUTAGE)

    partner_id: str | None
    lender: str | None
    provider: str
    in_a_row: int
    since: datetime
    last_failure: str | None
    everywhere: bool


class QueueOut(Out):
    """One task queue. `pollers` are those of the last five minutes; `known` is false if Temporal did not say."""

    model_config = example(**_QUEUE)

    queue: str
    known: bool
    pollers: int
    backlog: int = Field(description="About how many tasks wait")
    oldest_seconds: int


class ScheduleOut(Out):
    """What runs by the clock, and when it last did. `late`: it missed three turns."""

    model_config = example(**_SCHEDULE)

    schedule: str
    partner_id: str | None
    every_seconds: int
    ran_at: datetime
    late: bool


class MonitoringOut(Out):
    """What the key may see of it; a list whose facts it may not see is empty, as are the house's own for a partner's key.
    `problems` counts what needs attention by kind; of one source no more than 1,000 are counted."""

    model_config = example(
        at="2026-11-21T07:14:05Z", rates=[_RATE], wallets=[_WALLET], floats=[_FLOAT], short=[_SHORT], messages=[_MESSAGES],
        connections=[_CONNECTION], outages=[_OUTAGE], queues=[_QUEUE], schedules=[_SCHEDULE], problems={"posting": 2},
        oldest_unknown=None,
    )  # fmt: skip

    at: datetime
    rates: list[RateOut]
    wallets: list[WalletState]
    floats: list[FloatState]
    short: list[ShortOut]
    messages: list[MessagesOut]
    connections: list[ConnectionState]
    outages: list[OutageOut]
    queues: list[QueueOut]
    schedules: list[ScheduleOut]
    problems: dict[str, int]
    oldest_unknown: UnknownOutcomeOut | None
