"""What a saga must know of a partner: who it is, how to reach its systems, its products, whom to tell and of what it was
told."""

from collections.abc import Collection

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import NotAllowed, NotFound
from models.tables.base import table_of
from models.tables.platform.connection import Connection
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner


async def get(session: AsyncSession, partner_id: str) -> Partner:
    """Raises NotFound."""
    partner = await session.get(Partner, partner_id)
    if partner is None:
        raise NotFound("No partner has that id.", field="partner_id")
    return partner


async def names(session: AsyncSession, partner_ids: Collection[str] | None = None) -> dict[str, str]:
    """What these partners, or all of them, are called, by id."""
    query = select(Partner.id, Partner.name)
    if partner_ids is not None:
        query = query.where(col(Partner.id).in_(partner_ids))
    return dict((await session.exec(query)).all())


async def active(session: AsyncSession, partner_id: str) -> Partner:
    """Raises NotFound, or NotAllowed for a suspended partner."""
    partner = await get(session, partner_id)
    if partner.status != "active":
        raise NotAllowed("The partner is suspended.", code="partner_suspended")
    return partner


async def at_step(session: AsyncSession, partner_id: str, stage: str) -> Partner:
    """The partner of a saga that stands at this stage. Raises NotFound; NotAllowed for a suspended partner, but only of a
    saga that has done nothing yet: one that runs is finished, whatever happens to its partner meanwhile."""
    return await (active if stage == "requested" else get)(session, partner_id)


async def connection(session: AsyncSession, partner_id: str, provider: str) -> Connection:
    """Raises NotFound if the partner has none for this provider."""
    found = await session.exec(
        select(Connection).where(Connection.partner_id == partner_id, Connection.provider == provider)
    )
    row = found.first()
    if row is None:
        raise NotFound(f"The partner has no {provider} connection.", code="no_connection", field=provider)
    return row


async def set_connection_status(
    session: AsyncSession, partner_id: str, provider: str, status: str, detail: str | None
) -> None:
    row = await connection(session, partner_id, provider)
    row.status, row.check_detail = status, detail
    session.add(row)


async def mark_low_balance(session: AsyncSession, partner_id: str, *, low: bool) -> bool:
    """Notes on which side of its alert a wallet is now; True for the one caller who saw it cross. The row decides, not
    what a transaction read of it before it waited for the wallet: call it while the wallet is locked."""
    partners = table_of(Partner)
    told_at = partners.c.low_balance_told_at
    crossed = await session.exec(
        update(partners)
        .where(partners.c.id == partner_id, told_at.is_(None) if low else told_at.is_not(None))
        .values(low_balance_told_at=utc_now() if low else None)
        .returning(partners.c.id)
    )
    return crossed.first() is not None


async def contacts(session: AsyncSession, partner_id: str, *, proposed_too: bool = False) -> list[Contact]:
    """Those whom we tell things; somebody who is only proposed is told nothing and confirms nothing."""
    query = select(Contact).where(Contact.partner_id == partner_id).order_by(Contact.id)
    return list(await session.exec(query if proposed_too else query.where(Contact.state == "active")))
