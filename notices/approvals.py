"""Tells people that something waits for their approval: at once, again after a while, then a wider circle."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from models.tables.platform.approval import ApprovalPolicy, ApprovalRequest
from models.tables.platform.security import Person
from notices.outbox import notify_person
from store.platform import people

Notice = Literal["asked", "reminder", "escalated"]


def due(request: ApprovalRequest, policy: ApprovalPolicy, now: datetime) -> Notice | None:
    """What is to be told now: everybody who could agree at once, and again at the policy's times; once, later, a wider
    circle. One that was told late is not told twice at once."""
    age = now - request.created_at
    if request.reminders == 0:
        return "asked"
    if request.escalated_at is None and age >= timedelta(seconds=policy.escalate_after):
        return "escalated"
    told = request.reminders - 1
    if told < len(policy.remind_after) and age >= timedelta(seconds=policy.remind_after[told]):
        return "reminder"
    return None


async def tell(
    session: AsyncSession,
    request: ApprovalRequest,
    whom: Sequence[Person],
    notice: Notice,
    *,
    missing: int,
    base_url: str,
) -> None:
    """An email to each of them who has an address. `missing` is how many more must agree."""
    (asked_by,) = await people.names(session, [request.requested_by])
    amount = str(Money(request.amount_minor, request.currency or "")) if request.amount_minor is not None else ""
    facts = {
        "act": request.act, "asked_by": asked_by, "amount": amount, "needed": str(missing),
        "until": f"{request.expires_at:%Y-%m-%d %H:%M} UTC", "still": "no" if notice == "asked" else "yes",
        "link": f"{base_url}/console/approvals/{request.id}",
    }  # fmt: skip
    key = f"approval/{request.id}:{notice}:{request.reminders}"
    for person in whom:
        await notify_person(
            session, "approval_waits", key=key, person=person, partner_id=request.partner_id,
            workflow_id=request.workflow_id, facts=facts,
        )  # fmt: skip
