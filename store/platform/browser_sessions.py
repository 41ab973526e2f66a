"""People signed in by a browser. The cookie is kept as its digest alone."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import sha256_hex
from core.ids import SESSION, new_id
from models.tables.platform.security import Person
from models.tables.platform.signing_in import BrowserSession

Proof = Literal["password", "password_and_code", "invitation", "link", "openid"]
# That a session was used is written at most this often: a page must not cost a write.
_TOUCH_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A session ends after so long without use, and in any case after so long."""

    idle: timedelta
    whole: timedelta


async def begin(
    session: AsyncSession, person_id: str, proven_by: Proof, lifetime: Lifetime, now: datetime
) -> tuple[BrowserSession, str]:
    """A new session, and the cookie that it is known by from now on, which is nowhere else."""
    token = secrets.token_urlsafe(32)
    row = BrowserSession(
        id=new_id(SESSION), digest=sha256_hex(token), person_id=person_id, proven_by=proven_by,
        csrf=secrets.token_urlsafe(32), created_at=now, last_seen_at=now, idle_until=now + lifetime.idle,
        ends_at=now + lifetime.whole,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    return row, token


async def find(session: AsyncSession, token: str, now: datetime) -> tuple[BrowserSession, Person] | None:
    """The living session of this cookie, and whose it is. None as well for somebody who is disabled."""
    found = await session.exec(
        select(BrowserSession, Person).where(
            BrowserSession.digest == sha256_hex(token.encode(errors="replace")),
            BrowserSession.person_id == Person.id,
            col(BrowserSession.ended_at).is_(None),
            BrowserSession.idle_until > now,
            BrowserSession.ends_at > now,
            col(Person.disabled_at).is_(None),
        )
    )
    return found.first()


async def touch(session: AsyncSession, row: BrowserSession, lifetime: Lifetime, now: datetime) -> None:
    """Notes that it was used, and moves the end of its idleness on."""
    if row.last_seen_at < now - min(_TOUCH_EVERY, lifetime.idle / 4):
        await session.exec(
            update(BrowserSession)
            .where(col(BrowserSession.id) == row.id)
            .values(last_seen_at=now, idle_until=now + lifetime.idle)
        )


async def end(session: AsyncSession, session_id: str, now: datetime, why: str) -> None:
    await session.exec(
        update(BrowserSession)
        .where(col(BrowserSession.id) == session_id, col(BrowserSession.ended_at).is_(None))
        .values(ended_at=now, ended_why=why)
    )


async def end_all(
    session: AsyncSession, person_id: str, now: datetime, why: str, *, but: str | None = None
) -> list[str]:
    """Ends every session of a person, the one of id `but` aside; the ids of those that it ended."""
    query = (
        update(BrowserSession)
        .where(col(BrowserSession.person_id) == person_id, col(BrowserSession.ended_at).is_(None))
        .values(ended_at=now, ended_why=why)
    )
    if but is not None:
        query = query.where(col(BrowserSession.id) != but)
    return [row[0] for row in (await session.exec(query.returning(col(BrowserSession.id)))).all()]


async def living(session: AsyncSession, person_id: str, now: datetime, limit: int = 50) -> list[BrowserSession]:
    """Newest first."""
    found = await session.exec(
        select(BrowserSession)
        .where(
            BrowserSession.person_id == person_id, col(BrowserSession.ended_at).is_(None),
            BrowserSession.idle_until > now, BrowserSession.ends_at > now,
        )
        .order_by(col(BrowserSession.id).desc())
        .limit(limit)
    )  # fmt: skip
    return list(found)
