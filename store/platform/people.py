"""The people behind keys and browser sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, or_, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import PERSON, derived_id
from models.tables.base import table_of
from models.tables.platform.security import ApiKey, Person
from models.tables.platform.signing_in import BrowserSession

# Whoever set the installation up: the person of its first key.
INSTALLATION: Final = derived_id(PERSON, "installation")


async def ensure_installation(session: AsyncSession) -> None:
    await session.exec(
        insert(table_of(Person))
        .values(id=INSTALLATION, name="installation", created_at=utc_now(), created_by="bootstrap")
        .on_conflict_do_nothing()
    )


async def of_ids(session: AsyncSession, ids: Sequence[str]) -> list[Person]:
    return list(await session.exec(select(Person).where(col(Person.id).in_(ids))))


async def admins(session: AsyncSession) -> list[Person]:
    """The house's, who may come in."""
    query = select(Person).where(
        col(Person.partner_id).is_(None),
        col(Person.disabled_at).is_(None),
        table_of(Person).c.scopes.contains(["admin"]),
    )
    return list(await session.exec(query))


async def get(session: AsyncSession, person_id: str, *, for_update: bool = False) -> Person | None:
    return await session.get(Person, person_id, with_for_update=for_update or None, populate_existing=for_update)


async def of_email(session: AsyncSession, email: str) -> Person | None:
    """Whoever has this address, in whatever letters it is spelled; the disabled too."""
    return (await session.exec(select(Person).where(Person.email == email.strip().lower()))).first()


async def names(session: AsyncSession, ids: Sequence[str]) -> list[str]:
    """What they are called, in this order; an id that nobody has stays as it is."""
    found = await session.exec(select(Person.id, Person.name).where(col(Person.id).in_(ids)))
    known = dict(found.all())
    return [known.get(one, one) for one in ids]


async def behind(session: AsyncSession, actors: Sequence[str]) -> dict[str, str]:
    """The names of the people behind these keys, browser sessions and people, by those ids; of others nothing."""
    whose = union_all(
        select(ApiKey.id, ApiKey.person_id).where(col(ApiKey.id).in_(actors)),
        select(BrowserSession.id, BrowserSession.person_id).where(col(BrowserSession.id).in_(actors)),
        select(Person.id, col(Person.id).label("person_id")).where(col(Person.id).in_(actors)),
    ).subquery()
    found = await session.exec(select(whose.c.id, Person.name).where(Person.id == whose.c.person_id))
    return dict(found.all())


async def add(session: AsyncSession, person: Person) -> None:
    session.add(person)
    await session.flush()


async def is_taken(session: AsyncSession, email: str, *, but_by: str | None = None) -> bool:
    """Whether another person has this address. Until the transaction ends nobody else is told so of the same one."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"email:{email}", 0))))
    found = await of_email(session, email)
    return found is not None and found.id != but_by


async def change(session: AsyncSession, person_id: str, **values: Any) -> None:
    await session.exec(update(Person).where(col(Person.id) == person_id).values(**values))


async def use_step(session: AsyncSession, person_id: str, step: int) -> bool:
    """Whether a code of this half minute counts now: one that was used, or an older one, never does again."""
    used = await session.exec(
        update(Person)
        .where(
            col(Person.id) == person_id,
            or_(col(Person.totp_last_step).is_(None), col(Person.totp_last_step) < step),
        )
        .values(totp_last_step=step)
        .returning(col(Person.id))
    )
    return used.first() is not None


async def disable(session: AsyncSession, person_id: str, at: datetime | None) -> None:
    """From now on they cannot sign in; None: they can again."""
    await change(session, person_id, disabled_at=at)


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
