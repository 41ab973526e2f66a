"""API keys by their hash; the keys themselves are nowhere."""

from datetime import datetime, timedelta

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.platform.security import ApiKey

# A key's last use is written at most this often: authentication must not cost a write per request.
_TOUCH_EVERY = timedelta(minutes=1)


async def by_hash(session: AsyncSession, key_hash: str) -> ApiKey | None:
    """The living key with this hash."""
    found = await session.exec(select(ApiKey).where(ApiKey.hash == key_hash, col(ApiKey.revoked_at).is_(None)))
    return found.first()


async def touch(session: AsyncSession, key: ApiKey) -> None:
    """Notes that the key was used."""
    now = utc_now()
    if key.last_used_at is None or key.last_used_at < now - _TOUCH_EVERY:
        await session.exec(update(ApiKey).where(col(ApiKey.id) == key.id).values(last_used_at=now))


async def add(session: AsyncSession, key: ApiKey) -> bool:
    """False if a living key of the same partner has this name already: the name is what makes a repeated request known."""
    holder = key.partner_id or "house"
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"api-key:{holder}:{key.name}", 0))))
    taken = await session.exec(
        select(ApiKey.id).where(
            ApiKey.name == key.name,
            col(ApiKey.partner_id).is_not_distinct_from(key.partner_id),
            col(ApiKey.revoked_at).is_(None),
        )
    )
    if taken.first() is not None:
        return False
    session.add(key)
    await session.flush()
    return True


async def ensure(session: AsyncSession, key: ApiKey) -> bool:
    """Adds the key unless one with its hash exists, revoked or not; True if it did."""
    made = await session.exec(
        insert(ApiKey)
        .values(**key.model_dump())
        .on_conflict_do_nothing(index_elements=["hash"])
        .returning(col(ApiKey.id))
    )
    return made.first() is not None


async def get(session: AsyncSession, key_id: str) -> ApiKey | None:
    return await session.get(ApiKey, key_id)


async def revoke(session: AsyncSession, key_id: str, at: datetime) -> bool:
    """False if it was revoked before."""
    done = await session.exec(
        update(ApiKey)
        .where(col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None))
        .values(revoked_at=at)
        .returning(col(ApiKey.id))
    )
    return done.first() is not None


async def page(
    session: AsyncSession, *, partner_id: str | None = None, before: str | None = None, limit: int = 50
) -> list[ApiKey]:
    """Newest first, revoked ones too."""
    query = select(ApiKey).order_by(col(ApiKey.id).desc()).limit(limit)
    if partner_id:
        query = query.where(ApiKey.partner_id == partner_id)
    if before:
        query = query.where(col(ApiKey.id) < before)
    return list(await session.exec(query))
