"""Proposals: what one person asks for and a second one must agree to."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.ids import PROPOSAL, new_id
from models.tables.base import table_of
from models.tables.platform.proposal import Proposal

_PROPOSALS: Final = table_of(Proposal)
OPEN_FOR: Final = timedelta(days=7)


async def add(
    session: AsyncSession,
    *,
    act: str,
    subject: str,
    partner_id: str | None,
    content: dict[str, Any],
    evidence: str,
    key_id: str,
    person_id: str,
    people: list[str],
) -> tuple[Proposal, bool]:
    """The open proposal of this act on this subject, and whether it was made now: there is one at a time."""
    await _expire(session, act, subject)
    now = utc_now()
    made = await session.exec(
        insert(_PROPOSALS)
        .values(
            id=new_id(PROPOSAL), act=act, subject=subject, partner_id=partner_id, content=content, evidence=evidence,
            proposed_by_key=key_id, proposed_by=person_id, people=people, state="open", created_at=now,
            expires_at=now + OPEN_FOR,
        )
        .on_conflict_do_nothing()
        .returning(_PROPOSALS.c.id)
    )  # fmt: skip
    is_new = made.first() is not None
    found = await open_of(session, act, subject)
    assert found is not None
    return found, is_new


async def open_of(session: AsyncSession, act: str, subject: str) -> Proposal | None:
    found = await session.exec(
        select(Proposal).where(Proposal.act == act, Proposal.subject == subject, Proposal.state == "open")
    )
    return found.first()


async def get(session: AsyncSession, proposal_id: str, *, for_update: bool = False) -> Proposal | None:
    query = select(Proposal).where(Proposal.id == proposal_id)
    return (await session.exec(query.with_for_update() if for_update else query)).first()


async def decide(
    session: AsyncSession, row: Proposal, state: str, *, key_id: str, person_id: str, note: str | None
) -> None:
    """Agreed to or declined, by whom. The row is locked by the caller."""
    row.state, row.decided_by_key, row.decided_by = state, key_id, person_id
    row.decided_at, row.note = utc_now(), note
    session.add(row)
    await session.flush()


async def _expire(session: AsyncSession, act: str, subject: str) -> None:
    await session.exec(
        update(_PROPOSALS)
        .where(
            _PROPOSALS.c.act == act,
            _PROPOSALS.c.subject == subject,
            _PROPOSALS.c.state == "open",
            _PROPOSALS.c.expires_at <= utc_now(),
        )
        .values(state="expired")
    )


async def page(
    session: AsyncSession,
    *,
    partner_id: str | None = None,
    state: str | None = None,
    acts: list[str],
    now: datetime,
    before: str | None = None,
    limit: int = 50,
) -> list[Proposal]:
    """Newest first. One whose time is over counts as expired, whether or not anybody has written that down."""
    query = select(Proposal).where(col(Proposal.act).in_(acts)).order_by(col(Proposal.id).desc()).limit(limit)
    if partner_id:
        query = query.where(Proposal.partner_id == partner_id)
    if state == "open":
        query = query.where(Proposal.state == "open", col(Proposal.expires_at) > now)
    elif state == "expired":
        query = query.where(
            or_(col(Proposal.state) == "expired", and_(col(Proposal.state) == "open", col(Proposal.expires_at) <= now))
        )
    elif state:
        query = query.where(Proposal.state == state)
    if before:
        query = query.where(col(Proposal.id) < before)
    return list(await session.exec(query))
