"""A saga's timeline: what happened, in plain words, once per key however often it is written."""

from typing import Literal

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.saga.saga_event import SagaEvent

_EVENTS = table_of(SagaEvent)
# Made once: a statement that is built at each call costs as much again as its way to the database.
_WRITE = insert(_EVENTS).on_conflict_do_nothing(index_elements=["workflow_id", "key"]).returning(_EVENTS.c.id)
Tone = Literal["info", "good", "warning", "bad"]


async def write(
    session: AsyncSession, workflow_id: str, key: str, text: str, *, tone: Tone = "info", **facts: str
) -> bool:
    """True if the line is new. Facts hold ids, codes and amounts; never a phone number or a name."""
    line = {"workflow_id": workflow_id, "key": key, "at": utc_now(), "tone": tone, "text": text, "facts": facts}
    written = await (await session.connection()).execute(_WRITE, line)
    return written.first() is not None


async def read(session: AsyncSession, workflow_id: str) -> list[SagaEvent]:
    """In the order of writing."""
    found = await session.exec(
        select(SagaEvent).where(SagaEvent.workflow_id == workflow_id).order_by(col(SagaEvent.id))
    )
    return list(found)
