"""Reports on what was done in a period."""

from datetime import datetime
from typing import Self

from api.http.values import Out, example
from store.platform.messages_report import MessageCount

_COUNT = {
    "event": "loan_paid", "channel": "sms", "gateway": "africastalking", "state": "sent", "delivery": "delivered",
    "number": 42, "segments": 51, "costs": {"KES": "40.8000"},
}  # fmt: skip


class MessageCountOut(Out):
    """Messages that share all of event, channel, gateway, state and delivery.

    `delivery` is null where the gateway gives no reports; `silent` says that none came in time. `segments` are the SMS
    that the texts are billed as. `costs` are what the gateways told, exact text by currency.
    """

    model_config = example(**_COUNT)

    event: str
    channel: str
    gateway: str | None
    state: str
    delivery: str | None
    number: int
    segments: int
    costs: dict[str, str]

    @classmethod
    def of(cls, count: MessageCount) -> Self:
        return cls.model_validate(count, from_attributes=True)


class SmsReport(Out):
    """Messages made in `since <= t < until`, of one partner or (null) of all."""

    model_config = example(
        since="2026-11-01T00:00:00Z", until="2026-12-01T00:00:00Z", partner_id="prt_01ktv0r5m8e9a7d3c2b4x6y8z0",
        items=[_COUNT],
    )  # fmt: skip

    since: datetime
    until: datetime
    partner_id: str | None
    items: list[MessageCountOut]
