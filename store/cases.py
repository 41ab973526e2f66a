"""The case desk: what a person must decide, with its evidence."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import CASE, new_id
from models.tables.disbursements import Case


async def open_case(
    session: AsyncSession,
    *,
    key: str,
    kind: str,
    summary: str,
    evidence: dict[str, Any],
    partner_id: str | None = None,
    workflow_id: str | None = None,
) -> bool:
    """True if this opened it; False if a case with this key is open already."""
    made = await session.exec(
        insert(Case)
        .values(
            id=new_id(CASE), key=key, kind=kind, summary=summary, evidence=evidence, partner_id=partner_id,
            workflow_id=workflow_id, state="open", opened_at=utc_now(),
        )
        .on_conflict_do_nothing()
        .returning(col(Case.id))
    )  # fmt: skip
    return made.first() is not None


async def is_open(session: AsyncSession, workflow_id: str, kind: str) -> bool:
    found = await session.exec(
        select(Case.id).where(Case.workflow_id == workflow_id, Case.kind == kind, Case.state == "open")
    )
    return found.first() is not None


async def close_of_workflow(session: AsyncSession, workflow_id: str, kinds: list[str], *, resolution: str) -> None:
    """Closes what the saga itself got over; other kinds stay open for a person."""
    await session.exec(
        update(Case)
        .where(col(Case.workflow_id) == workflow_id, col(Case.state) == "open", col(Case.kind).in_(kinds))
        .values(state="closed", closed_at=utc_now(), closed_by="saga", resolution=resolution)
    )


async def close(session: AsyncSession, case_id: str, *, by: str, resolution: str) -> bool:
    closed = await session.exec(
        update(Case)
        .where(col(Case.id) == case_id, col(Case.state) == "open")
        .values(state="closed", closed_at=utc_now(), closed_by=by, resolution=resolution)
        .returning(col(Case.id))
    )
    return closed.first() is not None


async def get(session: AsyncSession, case_id: str) -> Case | None:
    return await session.get(Case, case_id)


async def page(
    session: AsyncSession,
    *,
    partner_id: str | None = None,
    state: str | None = None,
    workflow_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Case]:
    """Newest first."""
    query = select(Case).order_by(col(Case.id).desc()).limit(limit)
    for column, value in ((Case.partner_id, partner_id), (Case.state, state), (Case.workflow_id, workflow_id)):
        if value:
            query = query.where(column == value)
    if before:
        query = query.where(col(Case.id) < before)
    return list(await session.exec(query))
