"""The record of acts: who did what to what, before and after. Append-only by trigger; no secret goes in here."""

from typing import Any, Final

from sqlalchemy import ScalarSelect, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel import select as select_rows
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import API_KEY, SESSION
from models.tables.base import table_of
from models.tables.platform.security import ApiKey, AuditEntry
from models.tables.platform.signing_in import BrowserSession

_WHOSE: Final = {API_KEY: table_of(ApiKey), SESSION: table_of(BrowserSession)}


async def write(
    session: AsyncSession, *, actor: str, action: str, subject: str, before: Any = None, after: Any = None
) -> None:
    """In the transaction of the act itself. `actor` is the id of a key or of a browser session: the person behind it is
    written down with it. `before` and `after` are JSON values."""
    said = {name: value for name, value in (("before", before), ("after", after)) if value is not None}
    line = {"at": utc_now(), "actor": actor, "action": action, "subject": subject, "person_id": _person_behind(actor)}
    await session.exec(insert(table_of(AuditEntry)).values(**line, **said))


async def command(
    session: AsyncSession, *, actor: str, action: str, subject: str, workflow_id: str, stage: str, said: Any
) -> None:
    """A person's act on a saga, as it is written down before the saga hears of it. `said` is a JSON value."""
    await write(
        session, actor=actor, action=action, subject=subject, before={"workflow_id": workflow_id, "stage": stage},
        after=said,
    )  # fmt: skip


async def refused(session: AsyncSession, *, actor: str, action: str, subject: str, code: str) -> None:
    """The same act was not taken."""
    await write(session, actor=actor, action=f"{action}.refused", subject=subject, after={"code": code})


def _person_behind(actor: str) -> ScalarSelect[Any] | None:
    table = _WHOSE.get(actor.partition("_")[0])
    return None if table is None else select(table.c.person_id).where(table.c.id == actor).scalar_subquery()


async def about(session: AsyncSession, subject: str, limit: int = 100) -> list[AuditEntry]:
    """What was done to it, newest first."""
    found = await session.exec(
        select_rows(AuditEntry).where(AuditEntry.subject == subject).order_by(col(AuditEntry.id).desc()).limit(limit)
    )
    return list(found)
