"""One-time codes: only a keyed hash is kept, tries are counted in the row, an older code dies with a newer one."""

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.saga.one_time_code import OneTimeCode
from models.tables.saga.wrong_code import WrongCode

Verdict = Literal["right", "wrong", "expired", "used_up", "locked", "none"]


@dataclass(frozen=True, slots=True)
class Checked:
    """`number` is that of the code that was tried; `tries_left` for a wrong one. `guessed`: it was compared, and wrong."""

    verdict: Verdict
    number: int = 0
    tries_left: int = 0
    guessed: bool = False


async def add(
    session: AsyncSession, subject: str, number: int, hashed: str, *, expires_at: datetime, max_tries: int
) -> bool:
    """False if this number was made before (the step is being repeated)."""
    found = await session.exec(
        select(OneTimeCode.id).where(OneTimeCode.subject == subject, OneTimeCode.number == number)
    )
    if found.first() is not None:
        return False
    session.add(
        OneTimeCode(
            subject=subject, number=number, hash=hashed, max_tries=max_tries, expires_at=expires_at, created_at=utc_now()
        )
    )  # fmt: skip
    await session.flush()
    return True


async def check(session: AsyncSession, subject: str, hashes: list[str]) -> Checked:
    """Tries a code against the newest one of the subject, under its lock: simultaneous guesses are counted one by one.
    `hashes` are the given code's under every secret in use. The right code given again within its life is right again, so
    that a lost answer can be repeated."""
    found = await session.exec(
        select(OneTimeCode)
        .where(OneTimeCode.subject == subject)
        .order_by(col(OneTimeCode.number).desc())
        .limit(1)
        .with_for_update()
    )
    code = found.first()
    if code is None:
        return Checked("none")
    if code.expires_at <= utc_now():
        return Checked("expired", code.number)
    if code.used_at is None and code.tries >= code.max_tries:
        return Checked("used_up", code.number)
    matches = [hmac.compare_digest(code.hash, given) for given in hashes]  # all of them: the time tells nothing
    if any(matches):
        if code.used_at is None:
            code.used_at, code.tries = utc_now(), code.tries + 1
            session.add(code)
        return Checked("right", code.number)
    if code.used_at is None:
        code.tries += 1
        session.add(code)
        await session.flush()
    left = code.max_tries - code.tries
    return Checked("wrong" if left and code.used_at is None else "used_up", code.number, left, guessed=True)


async def too_many_wrong(
    session: AsyncSession, partner_id: str, people: Collection[str], *, since: datetime, at_most: int
) -> bool:
    """Whether one of these people, or anybody for this partner, gave so many wrong codes since then, whatever they were
    for: five tries of each of many purchases are many tries. Simultaneous guesses for a partner wait for one another
    until the transaction ends."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"codes:{partner_id}", 0))))
    for mine in (WrongCode.partner_id == partner_id, col(WrongCode.person_id).in_(people)):
        count = await session.exec(select(func.count()).select_from(WrongCode).where(mine, WrongCode.at > since))
        if count.one() >= at_most:
            return True
    return False


async def note_wrong(session: AsyncSession, partner_id: str, person_id: str, subject: str) -> None:
    session.add(WrongCode(partner_id=partner_id, person_id=person_id, subject=subject, at=utc_now()))
    await session.flush()


async def was_used(session: AsyncSession, subject: str, number: int) -> bool:
    """Whether the right code of this number was given."""
    found = await session.exec(
        select(OneTimeCode.used_at).where(OneTimeCode.subject == subject, OneTimeCode.number == number)
    )
    return found.first() is not None
