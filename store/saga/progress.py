"""What any saga's row says of what it waits for now, whatever its kind."""

from sqlalchemy import update
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from store.saga.sagas import TABLES, kind_of


async def explain(session: AsyncSession, workflow_id: str, *, code: str, reason: str) -> None:
    """Why it does not get on, in plain words. An ended row is left as it is."""
    table = TABLES[kind_of(workflow_id)]
    await session.exec(
        update(table)
        .where(table.c.workflow_id == workflow_id, table.c.ended_at.is_(None))
        .values(reason_code=code, reason=reason[:500], updated_at=utc_now())
    )
