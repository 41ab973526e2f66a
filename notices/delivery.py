"""What a gateway's delivery report does to a message: it moves the state of an SMS, and nothing else.

delivered, failed      final: the first one stays, whatever comes after it
progress               never after a final one
failed, curable        one more gateway is tried, once, unless the report comes too late to be of use to the reader

A report under an id that we do not know may speak of a message whose send brought no usable answer, and whose id we
therefore never heard. It is taken for that message if it is the only one to that number: the gateway has it, so no other
one is asked.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.platform.traffic import Notification
from notices.tried import Tried, entry
from store.platform import outbox

Taken = Literal["noted", "redundant", "unknown"]

# How long an unanswered send may be claimed by a report. Gateways keep a message for two days at most.
_UNANSWERED_FOR: Final = timedelta(days=2)
_FINAL: Final = ("delivered", "failed")


@dataclass(frozen=True, slots=True)
class Report:
    """`recipient` is the number in E.164, if the report names a valid one; `reason` is the gateway's word for `failed`;
    `curable` says that another gateway may succeed."""

    gateway: str
    message_id: str
    state: Literal["progress", "delivered", "failed"]
    reason: str | None = None
    curable: bool = False
    recipient: str | None = None


async def take_report(session: AsyncSession, report: Report, *, within: timedelta) -> Taken:
    """`within` is how long after sending a failure still leads to another try. "unknown": no message is changed."""
    message = await outbox.by_message_id(session, report.gateway, report.message_id)
    if message is not None:
        if message.delivery in _FINAL or message.delivery == report.state:
            return "redundant"
        await outbox.change(session, message.id, **_change(message, report, within))
        return "noted"
    message = await _unanswered(session, report)
    if message is None:
        return "unknown"
    taken = {"gateway": report.gateway, "message_id": report.message_id, "sent_at": utc_now(), "state": "sent"}
    await outbox.change(session, message.id, **{**taken, **_change(message, report, within)})
    return "noted"


async def _unanswered(session: AsyncSession, report: Report) -> Notification | None:
    """The one message to this number that the gateway was asked to take without a usable answer."""
    if report.recipient is None:
        return None
    unclear, asked = entry(report.gateway, "unclear"), entry(report.gateway, "asked")
    found = await outbox.open_at(
        session, entries=[unclear, asked], recipient=report.recipient, since=utc_now() - _UNANSWERED_FOR
    )
    # With a question still out, the report may be about that one; its answer brings the id.
    return found[0] if len(found) == 1 and unclear in found[0].tried else None


def _change(message: Notification, report: Report, within: timedelta) -> dict[str, Any]:
    now = utc_now()
    change: dict[str, Any] = {"delivery": report.state, "delivery_at": now}
    if report.state != "failed":
        return change
    change["last_error"] = f"not delivered: {report.reason or 'no reason given'}"
    tried = Tried.of(message.tried)
    in_time = (message.sent_at or now) + within > now
    # A sealed text is wiped as soon as it is sent; whoever waits for the code asks for another one.
    if report.curable and in_time and not message.sealed and not tried.gateways("undelivered"):
        change |= {
            "state": "pending",
            "next_attempt_at": now,
            "attempts": 0,
            "tried": list(tried.noted(report.gateway, "undelivered").entries),
        }
    return change
