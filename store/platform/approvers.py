"""Who could agree to a request, and who may answer in another's stead."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from models.tables.platform.approval import ApprovalDelegation

# Whose living keys, or whose sign-in, have the scope (or all of them), and who stands behind each: a key counts for the
# people that it bars.
_ELIGIBLE = text("""
SELECT person.id
  FROM people AS person
 WHERE person.disabled_at IS NULL
   AND person.password_hash IS NOT NULL
   AND (person.scopes ? :scope OR person.scopes ? 'admin')
   AND (person.partner_id IS NULL OR (NOT :house_only AND person.partner_id = CAST(:partner_id AS text)))
   AND person.id <> ALL(:barred)
   AND NOT (person.makers ?| :barred)
 UNION
SELECT key.person_id
  FROM api_keys AS key
 WHERE key.revoked_at IS NULL
   AND (key.scopes ? :scope OR key.scopes ? 'admin')
   AND (key.partner_id IS NULL OR (NOT :house_only AND key.partner_id = CAST(:partner_id AS text)))
   AND key.person_id <> ALL(:barred)
   AND NOT (key.makers ?| :barred)
""")


async def eligible(
    session: AsyncSession, *, scope: str, partner_id: str | None, barred: Sequence[str], house_only: bool
) -> list[str]:
    """The people who could agree now."""
    found = await (await session.connection()).execute(
        _ELIGIBLE,
        {"scope": scope, "partner_id": partner_id, "barred": list(barred), "house_only": house_only},
    )
    return [row[0] for row in found]


async def delegation(session: AsyncSession, *, from_person: str, to_person: str) -> ApprovalDelegation | None:
    """The living one by which the second may answer as the first."""
    now = utc_now()
    query = select(ApprovalDelegation).where(
        ApprovalDelegation.from_person == from_person,
        ApprovalDelegation.to_person == to_person,
        col(ApprovalDelegation.revoked_at).is_(None),
        col(ApprovalDelegation.since) <= now,
        col(ApprovalDelegation.until) > now,
    )
    return (await session.exec(query)).first()


async def scopes_of(session: AsyncSession, person_id: str) -> tuple[frozenset[str], bool]:
    """What this person may do, by living keys or signed in, and whether anything of it is the house's."""
    query = text(
        "SELECT scopes, partner_id FROM api_keys WHERE person_id = :person_id AND revoked_at IS NULL "
        "UNION ALL SELECT scopes, partner_id FROM people WHERE id = :person_id AND disabled_at IS NULL"
    )
    found = list(await (await session.connection()).execute(query, {"person_id": person_id}))
    scopes = frozenset(scope for row in found for scope in row[0])
    return scopes, any(row[1] is None for row in found)


async def delegate(
    session: AsyncSession, delegation_id: str, *, from_person: str, to_person: str, since: datetime, until: datetime,
    made_by: str,
) -> ApprovalDelegation:  # fmt: skip
    row = ApprovalDelegation(
        id=delegation_id, from_person=from_person, to_person=to_person, since=since, until=until, made_by=made_by,
        created_at=utc_now(),
    )  # fmt: skip
    session.add(row)
    await session.flush()
    return row


async def delegations(session: AsyncSession, *, before: str | None = None, limit: int = 50) -> list[ApprovalDelegation]:
    """Newest first, ended ones too."""
    query = select(ApprovalDelegation).order_by(col(ApprovalDelegation.id).desc()).limit(limit)
    if before:
        query = query.where(col(ApprovalDelegation.id) < before)
    return list(await session.exec(query))


async def get_delegation(session: AsyncSession, delegation_id: str) -> ApprovalDelegation | None:
    return await session.get(ApprovalDelegation, delegation_id)
