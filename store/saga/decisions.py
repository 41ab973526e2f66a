"""Decisions: written in the transaction of the authenticated call that made them, never changed, read by sagas."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.base import table_of
from models.tables.saga.decision import Decision


async def add(
    session: AsyncSession,
    *,
    decision_id: str,
    workflow_id: str,
    about: str,
    decision: str,
    facts: dict[str, Any],
    evidence: str,
    person_id: str,
    via: str,
    people: list[str],
) -> None:
    """Saying the same one again leaves the first, with the question that it was about then."""
    await session.exec(
        insert(table_of(Decision))
        .values(
            id=decision_id, workflow_id=workflow_id, about=about, decision=decision, facts=facts, evidence=evidence,
            person_id=person_id, via=via, people=people, created_at=utc_now(),
        )
        .on_conflict_do_nothing()
    )  # fmt: skip


async def get(session: AsyncSession, decision_id: str) -> Decision | None:
    return await session.get(Decision, decision_id)


async def of_workflow(session: AsyncSession, workflow_id: str, limit: int = 100) -> list[Decision]:
    """What people decided about one saga, oldest first."""
    found = await session.exec(
        select(Decision).where(Decision.workflow_id == workflow_id).order_by(col(Decision.created_at)).limit(limit)
    )
    return list(found)
