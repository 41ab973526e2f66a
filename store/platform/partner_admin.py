"""Making and changing partners, their connections and their contacts. What sagas read of them is in `partners.py`."""

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.errors import Conflict, NotFound
from models.tables.platform.connection import Connection
from models.tables.platform.contact import Contact
from models.tables.platform.partner import Partner
from store.platform import secret_addresses


async def name_is_taken(session: AsyncSession, name: str) -> bool:
    return (await session.exec(select(Partner.id).where(Partner.name == name))).first() is not None


async def add(session: AsyncSession, partner: Partner, connections: list[Connection], contacts: list[Contact]) -> None:
    """Raises Conflict (code "name_taken"); the transaction is of no use afterwards."""
    try:
        session.add(partner)
        await session.flush()
    except IntegrityError:
        raise _name_taken() from None
    session.add_all([*connections, *contacts])
    await session.flush()


async def lock(session: AsyncSession, partner_id: str) -> Partner:
    """The partner, for a change. Its id stays as it is, so rows that name it are written meanwhile. Raises NotFound."""
    query = select(Partner).where(Partner.id == partner_id).with_for_update(key_share=True)
    found = (await session.exec(query)).first()
    if found is None:
        raise NotFound("No partner has that id.", field="partner_id")
    return found


async def save(session: AsyncSession, partner: Partner) -> None:
    """Raises Conflict (code "name_taken")."""
    try:
        session.add(partner)
        await session.flush()
    except IntegrityError:
        raise _name_taken() from None


async def page(session: AsyncSession, *, only: str | None, before: str | None, limit: int) -> list[Partner]:
    """Newest first; `only` is the one partner that the caller may see."""
    query = select(Partner).order_by(col(Partner.id).desc()).limit(limit)
    if only:
        query = query.where(Partner.id == only)
    if before:
        query = query.where(col(Partner.id) < before)
    return list(await session.exec(query))


async def by_address_digest(session: AsyncSession, provider: str, digest: str) -> Connection | None:
    """The connection to whose address, present or replaced a short while ago, this SHA-256 belongs."""
    query = select(Connection).where(Connection.provider == provider, secret_addresses.works(digest))
    return (await session.exec(query)).first()


async def connections(session: AsyncSession, partner_id: str) -> list[Connection]:
    query = select(Connection).where(Connection.partner_id == partner_id).order_by(Connection.provider)
    return list(await session.exec(query))


async def lock_connection(session: AsyncSession, partner_id: str, provider: str) -> Connection | None:
    """The connection, for a change."""
    query = select(Connection).where(Connection.partner_id == partner_id, Connection.provider == provider)
    return (await session.exec(query.with_for_update())).first()


async def find_connection(session: AsyncSession, partner_id: str, provider: str) -> Connection | None:
    query = select(Connection).where(Connection.partner_id == partner_id, Connection.provider == provider)
    return (await session.exec(query)).first()


async def block(session: AsyncSession, connection_id: str, detail: str, *, sent_at: datetime | None = None) -> bool:
    """Nothing more is sent by this connection until somebody gives working credentials. `sent_at` is when the call was
    made that showed the fault: one made before the credentials were last changed says nothing of the new ones. False if it
    was blocked before; see `notices/blocked.py` for who is told."""
    query = update(Connection).where(col(Connection.id) == connection_id, col(Connection.status) != "blocked")
    if sent_at is not None:
        query = query.where(col(Connection.updated_at) <= sent_at)
    blocked = await session.exec(
        query.values(status="blocked", check_detail=detail[:500]).returning(col(Connection.id))
    )
    return blocked.first() is not None


async def contact(session: AsyncSession, partner_id: str, contact_id: str) -> Contact | None:
    query = select(Contact).where(Contact.partner_id == partner_id, Contact.id == contact_id)
    return (await session.exec(query)).first()


async def same_contact(session: AsyncSession, wanted: Contact) -> Contact | None:
    """The partner's contact with the same name, number, address and role, if there is one."""
    query = select(Contact).where(
        Contact.partner_id == wanted.partner_id,
        Contact.name == wanted.name,
        col(Contact.phone).is_not_distinct_from(wanted.phone),
        col(Contact.email).is_not_distinct_from(wanted.email),
        Contact.role == wanted.role,
    )
    return (await session.exec(query)).first()


def _name_taken() -> Conflict:
    return Conflict("Another partner has this name.", code="name_taken", field="name")
