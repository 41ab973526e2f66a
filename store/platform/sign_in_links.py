"""Addresses that let one person in, once. Only the digest of their secret part is kept."""

import secrets
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.crypto import sha256_hex
from models.tables.platform.security import Person
from models.tables.platform.signing_in import SignInLink

Purpose = Literal["invitation", "local"]
LONGEST: Final = 64  # of a secret part, as it may come in an address


async def make(
    session: AsyncSession, person_id: str, purpose: Purpose, *, makers: list[str], by: str, now: datetime, until: datetime,
    totp_sealed: str | None = None,
) -> str:  # fmt: skip
    """The secret part of a new address. Those of the same purpose that the person had end with it."""
    await session.exec(
        delete(SignInLink).where(col(SignInLink.person_id) == person_id, col(SignInLink.purpose) == purpose)
    )
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            digest=sha256_hex(token), person_id=person_id, purpose=purpose, totp_sealed=totp_sealed, makers=makers,
            created_at=now, created_by=by, expires_at=until,
        )
    )  # fmt: skip
    await session.flush()
    return token


async def find(session: AsyncSession, token: str, now: datetime) -> tuple[SignInLink, Person] | None:
    """The living link of this secret part, and whose it is. None as well for somebody who is disabled."""
    found = await session.exec(
        select(SignInLink, Person).where(
            SignInLink.digest == _digest(token),
            SignInLink.person_id == Person.id,
            col(SignInLink.used_at).is_(None),
            SignInLink.expires_at > now,
            col(Person.disabled_at).is_(None),
        )
    )
    return found.first()


async def use(session: AsyncSession, token: str, now: datetime) -> bool:
    """False if somebody was faster."""
    used = await session.exec(
        update(SignInLink)
        .where(
            col(SignInLink.digest) == _digest(token),
            col(SignInLink.used_at).is_(None),
            col(SignInLink.expires_at) > now,
        )
        .values(used_at=now)
        .returning(col(SignInLink.digest))
    )
    return used.first() is not None


async def drop_all(session: AsyncSession, person_id: str) -> None:
    """Somebody who is disabled, or has another address now, comes in by none of theirs."""
    await session.exec(delete(SignInLink).where(col(SignInLink.person_id) == person_id))


def _digest(token: str) -> str:
    return sha256_hex(token.encode(errors="replace"))
