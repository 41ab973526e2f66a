"""Claimed `Idempotency-Key`s and the answers that they were given."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import Conflict
from models.tables.platform.security import IdempotencyKey

# A claim without an answer is left by a process that died; no request runs this long.
ABANDONED_AFTER: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Claim:
    """One key of one principal, taken for one request at one moment."""

    principal: str
    key: str
    request: str
    body_hash: str
    claimed_at: datetime


async def claim(session: AsyncSession, claim: Claim) -> IdempotencyKey | None:
    """None if the claim is ours now; otherwise the row that holds the key. One insert decides."""
    values = {
        "principal": claim.principal, "key": claim.key, "request": claim.request, "body_hash": claim.body_hash,
        "claimed_at": claim.claimed_at,
    }  # fmt: skip
    statement = insert(IdempotencyKey).values(values)
    taken = await session.exec(
        statement.on_conflict_do_update(
            index_elements=["principal", "key"],
            set_={"claimed_at": claim.claimed_at},
            where=(
                col(IdempotencyKey.status).is_(None)
                & (col(IdempotencyKey.claimed_at) < claim.claimed_at - ABANDONED_AFTER)
                & (col(IdempotencyKey.request) == claim.request)
                & (col(IdempotencyKey.body_hash) == claim.body_hash)
            ),
        ).returning(col(IdempotencyKey.key))
    )
    if taken.first() is not None:
        return None
    return await session.get(IdempotencyKey, (claim.principal, claim.key))


async def keep(session: AsyncSession, claim: Claim, *, status: int, answer: Any, location: str | None) -> None:
    """Stores the answer, in the transaction of the effect. Raises Conflict if the claim was taken over meanwhile."""
    kept = await session.exec(
        update(IdempotencyKey)
        .where(*_mine(claim))
        .values(status=status, answer=answer, location=location)
        .returning(col(IdempotencyKey.key))
    )
    if kept.first() is None:
        raise Conflict("Another request has taken this Idempotency-Key over.", code="idempotency_key_lost")


async def release(session: AsyncSession, claim: Claim) -> None:
    """Gives a claim back whose request had no effect, so that the same key may be tried again."""
    await session.exec(delete(IdempotencyKey).where(*_mine(claim)))


def new_claim(principal: str, key: str, request: str, body_hash: str) -> Claim:
    return Claim(principal, key, request, body_hash, utc_now())


def _mine(claim: Claim) -> tuple[Any, ...]:
    return (
        col(IdempotencyKey.principal) == claim.principal,
        col(IdempotencyKey.key) == claim.key,
        col(IdempotencyKey.claimed_at) == claim.claimed_at,
        col(IdempotencyKey.status).is_(None),
    )
