"""The people behind keys."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import PERSON, derived_id
from models.tables.base import table_of
from models.tables.platform.security import Person

# Whoever set the installation up: the person of its first key.
INSTALLATION: Final = derived_id(PERSON, "installation")


async def ensure_installation(session: AsyncSession) -> None:
    await session.exec(
        insert(table_of(Person))
        .values(id=INSTALLATION, name="installation", created_at=utc_now(), created_by="bootstrap")
        .on_conflict_do_nothing()
    )


async def get(session: AsyncSession, person_id: str) -> Person | None:
    return await session.get(Person, person_id)


async def names(session: AsyncSession, ids: Sequence[str]) -> list[str]:
    """What they are called, in this order; an id that nobody has stays as it is."""
    found = await session.exec(select(Person.id, Person.name).where(col(Person.id).in_(ids)))
    known = dict(found.all())
    return [known.get(one, one) for one in ids]


async def add(session: AsyncSession, person: Person) -> None:
    session.add(person)
    await session.flush()


async def page(
    session: AsyncSession, *, partner_id: str | None = None, before: str | None = None, limit: int = 50
) -> list[Person]:
    """Newest first; the installation's own sorts among the others, since its id is derived."""
    query = select(Person).order_by(col(Person.id).desc()).limit(limit)
    if partner_id:
        query = query.where(Person.partner_id == partner_id)
    if before:
        query = query.where(col(Person.id) < before)
    return list(await session.exec(query))
