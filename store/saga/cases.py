"""The case desk: what a person must decide, with its evidence."""

from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import CASE, new_id
from models.tables.saga.case import Case


async def open_case(
    session: AsyncSession,
    *,
    key: str,
    kind: str,
    summary: str,
    evidence: dict[str, Any],
    actions: list[str] | None = None,
    partner_id: str | None = None,
    workflow_id: str | None = None,
    replaces: bool = False,
) -> bool:
    """True if this opened it; False if a case with this key is open already. `actions`: what its saga would take as a
    decision. `replaces` closes that open one first, because it is about something that was decided since."""
    if replaces:
        await session.exec(
            update(Case)
            .where(col(Case.key) == key, col(Case.state) == "open")
            .values(state="closed", closed_at=utc_now(), closed_by="saga", resolution="the saga went on to the next")
        )
    made = await session.exec(
        insert(Case)
        .values(
            id=new_id(CASE), key=key, kind=kind, summary=summary, evidence=evidence, partner_id=partner_id,
            workflow_id=workflow_id, actions=actions or [], state="open", opened_at=utc_now(),
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


async def was_opened(session: AsyncSession, key: str) -> bool:
    """Whether a case with this key is open or was closed before."""
    return (await session.exec(select(Case.id).where(Case.key == key).limit(1))).first() is not None


async def close_of_workflow(
    session: AsyncSession, workflow_id: str, kinds: list[str], *, resolution: str, by: str = "saga"
) -> None:
    """Closes what the saga itself, or a decision, got over; other kinds stay open for a person."""
    await session.exec(
        update(Case)
        .where(col(Case.workflow_id) == workflow_id, col(Case.state) == "open", col(Case.kind).in_(kinds))
        .values(state="closed", closed_at=utc_now(), closed_by=by, resolution=resolution)
    )


async def close(session: AsyncSession, case_id: str, *, by: str, resolution: str) -> bool:
    closed = await session.exec(
        update(Case)
        .where(col(Case.id) == case_id, col(Case.state) == "open")
        .values(state="closed", closed_at=utc_now(), closed_by=by, resolution=resolution)
        .returning(col(Case.id))
    )
    return closed.first() is not None


async def close_of_key(session: AsyncSession, key: str, *, by: str, resolution: str) -> None:
    """Closes the open case of a key, if there is one."""
    await session.exec(
        update(Case)
        .where(col(Case.key) == key, col(Case.state) == "open")
        .values(state="closed", closed_at=utc_now(), closed_by=by, resolution=resolution)
    )


async def take(session: AsyncSession, case_id: str, owner: str) -> bool:
    """Makes an open case this person's, so that two do not look at the same. True as well if it is theirs already; False
    if another has it, or it is closed."""
    taken = await session.exec(
        update(Case)
        .where(
            col(Case.id) == case_id, col(Case.state) == "open", or_(col(Case.owner).is_(None), col(Case.owner) == owner)
        )
        .values(owner=owner)
        .returning(col(Case.id))
    )
    return taken.first() is not None


async def give_back(session: AsyncSession, case_id: str, owner: str | None) -> bool:
    """Makes an open case nobody's; `owner` None: whoever has it. False if it is not theirs, or it is closed."""
    query = update(Case).where(col(Case.id) == case_id, col(Case.state) == "open", col(Case.owner).is_not(None))
    if owner is not None:
        query = query.where(col(Case.owner) == owner)
    given = await session.exec(query.values(owner=None).returning(col(Case.id)))
    return given.first() is not None


async def get(session: AsyncSession, case_id: str) -> Case | None:
    return await session.get(Case, case_id)


async def page(
    session: AsyncSession,
    *,
    partner_id: str | None = None,
    state: str | None = None,
    workflow_id: str | None = None,
    kind: str | None = None,
    owner: str | None = None,
    without_owner: bool = False,
    before: str | None = None,
    limit: int = 50,
) -> list[Case]:
    """Newest first."""
    query = select(Case).order_by(col(Case.id).desc()).limit(limit)
    for column, value in (
        (Case.partner_id, partner_id), (Case.state, state), (Case.workflow_id, workflow_id), (Case.kind, kind),
        (Case.owner, owner),
    ):  # fmt: skip
        if value:
            query = query.where(column == value)
    if without_owner:
        query = query.where(col(Case.owner).is_(None))
    if before:
        query = query.where(col(Case.id) < before)
    return list(await session.exec(query))
