"""A credit on one of a partner's accounts at its bank, by whatever channel it is told: somebody's payment, or our own money
on its way. Kept in the inbox, from which it is delivered."""

from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money
from models.messages.collections import AnnouncedPayment
from models.messages.payouts import PayoutReport
from models.tables.disbursements import PayoutAttempt
from store import inbox, payouts
from temporal import money_in


async def keep(
    session: AsyncSession, credit: AnnouncedPayment, *, dialect: str, body: Any, source: str | None
) -> str | None:
    """The id of a new inbox item to deliver; None for one that was kept before, and for the arrival of a transfer of ours.

    Money that comes back under the reference of an instruction of ours is no payment: crediting it would book it twice. It
    is news of that instruction, and from NCBA the only one; the reference bank tells of reversals in an event of its own.
    """
    ours = await _instruction(session, credit)
    if ours is None:
        inbox_id, is_new = await money_in.keep(session, credit, body=body, source=source)
    elif ours.destination == credit.account or dialect == "reference":
        return None
    else:
        inbox_id, is_new = await inbox.store_report(
            session,
            provider="bank",
            kind="result",
            external_id=f"{credit.partner_id}:back:{credit.external_id}",
            workflow_id=ours.workflow_id,
            reference=ours.reference,
            body=body,
            report=_reversed(ours, credit),
            source=source,
            partner_id=credit.partner_id,
        )
    return inbox_id if is_new else None


async def _instruction(session: AsyncSession, credit: AnnouncedPayment) -> PayoutAttempt | None:
    """The instruction of ours that moved this money: its reference is in the narrative and its amount is the same. Any other
    amount is a person's to judge."""
    found = await payouts.behind(session, credit.partner_id, credit.reference)
    return found if found and Money(found.amount_minor, found.currency) == credit.amount else None


def _reversed(ours: PayoutAttempt, credit: AnnouncedPayment) -> PayoutReport:
    return PayoutReport(
        reference=ours.reference,
        source="callback",
        state="failed",
        code="reversed",
        detail="the bank has moved the money back",
        provider_reference=credit.external_id,
        amount=credit.amount,
        happened_at=credit.happened_at,
    )
