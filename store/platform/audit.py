"""The record of acts: who did what to what, before and after. Append-only by trigger; no secret goes in here."""

from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.platform.security import AuditEntry


async def write(
    session: AsyncSession, *, actor: str, action: str, subject: str, before: Any = None, after: Any = None
) -> None:
    """In the transaction of the act itself. `actor` is a key's id; `before` and `after` are JSON values."""
    session.add(AuditEntry(at=utc_now(), actor=actor, action=action, subject=subject, before=before, after=after))
    await session.flush()
