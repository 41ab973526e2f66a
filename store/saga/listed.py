"""What our books have of the movements that a provider lists: payments that came in, instructions that it carried out."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Text, any_, literal, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.outside import provider_id
from models.tables.base import table_of
from models.tables.platform.traffic import InboxItem
from models.tables.saga.case import Case
from models.tables.saga.incoming_payment import IncomingPayment
from models.tables.saga.payout_attempt import PayoutAttempt


async def came_in(
    session: AsyncSession, partner_id: str, provider: str, since: datetime, until: datetime
) -> list[IncomingPayment]:
    """Payments that happened in the period by the provider's clock."""
    query = select(IncomingPayment).where(
        IncomingPayment.partner_id == partner_id,
        IncomingPayment.provider == provider,
        col(IncomingPayment.happened_at) >= since,
        col(IncomingPayment.happened_at) < until,
    )
    return list(await session.exec(query))


async def named(
    session: AsyncSession, partner_id: str, provider: str, external_ids: Sequence[str]
) -> dict[str, IncomingPayment]:
    """Payments by the provider's ids, as those are spelt in our books."""
    spelt = [provider_id(one) for one in external_ids]
    query = select(IncomingPayment).where(
        IncomingPayment.partner_id == partner_id,
        IncomingPayment.provider == provider,
        table_of(IncomingPayment).c.external_id == any_(literal(spelt, ARRAY(Text))),
    )
    return {row.external_id: row for row in await session.exec(query)}


async def instructions(
    session: AsyncSession, partner_id: str, provider: str, since: datetime, until: datetime
) -> list[PayoutAttempt]:
    """Instructions that were written or paid in the period, whatever became of them."""
    made, paid = col(PayoutAttempt.created_at), col(PayoutAttempt.paid_at)
    query = select(PayoutAttempt).where(
        PayoutAttempt.partner_id == partner_id,
        PayoutAttempt.provider == provider,
        or_((made >= since) & (made < until), (paid >= since) & (paid < until)),
    )
    return list(await session.exec(query))


async def in_flight(session: AsyncSession, partner_id: str, provider: str) -> bool:
    """Whether an instruction may be on its way now, so that the two sides need not agree."""
    query = select(PayoutAttempt.reference).where(
        PayoutAttempt.partner_id == partner_id,
        PayoutAttempt.provider == provider,
        col(PayoutAttempt.state).in_(("sending", "accepted", "unknown")),
    )
    return (await session.exec(query.limit(1))).first() is not None


async def reported_paid(
    session: AsyncSession, partner_id: str, provider: str, since: datetime, until: datetime
) -> list[tuple[str, dict[str, object], str | None, str | None]]:
    """Reports of the period by which the provider says that it paid, and that nobody doubts: our reference, the report, and
    the state and receipt that our books have of it (None if they know no such instruction)."""
    inbox, attempts = table_of(InboxItem).c, table_of(PayoutAttempt).c
    query = (
        select(inbox.reference, inbox.report, attempts.state, attempts.receipt)
        .join_from(table_of(InboxItem), table_of(PayoutAttempt), attempts.reference == inbox.reference, isouter=True)
        .where(
            inbox.partner_id == partner_id, inbox.provider == provider, inbox.received_at >= since,
            inbox.received_at < until, inbox.report["state"].astext == "paid",
            inbox.outcome.in_(("waiting", "taken", "redundant")),
        )
    )  # fmt: skip
    rows = await (await session.connection()).execute(query)
    return [(reference, dict(report), state, receipt) for reference, report, state, receipt in rows]


async def shown_to_people(session: AsyncSession, keys: Sequence[str]) -> set[str]:
    """Those of these cases' keys under which somebody was asked already."""
    return set(await session.exec(select(Case.key).where(col(Case.key).in_(keys)).distinct()))
