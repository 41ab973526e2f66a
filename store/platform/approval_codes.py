"""Codes with which people answer where no sign-in reaches: one for a request and a person, once, kept as a keyed hash."""

import secrets
from collections.abc import Mapping
from typing import Final

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from core.clock import utc_now
from core.errors import Conflict
from models.tables.base import table_of
from models.tables.platform.approval import ApprovalCode, ApprovalRequest
from store.platform.approval_rules import MOST_WRONG_CODES, Answerer

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_LENGTH: Final = 10
_READ_AS: Final = str.maketrans("ILO", "110", " -\t")


def new_code() -> str:
    """Ten characters, fifty bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def as_typed(text: str) -> str:
    """What a person typed, as the code is kept: without blanks and dashes, letters that look like digits as digits."""
    return text.upper().translate(_READ_AS)


def subject_of(request: ApprovalRequest, person_id: str) -> tuple[str, str]:
    """What a code's hash is bound to, so that it opens neither another request, nor another version, nor for another."""
    return f"approval/{request.id}/{person_id}", request.version


async def give(session: AsyncSession, request: ApprovalRequest, who: Answerer, code_hash: str) -> None:
    """The person's code for this request, which the caller has locked; one that they had before is void."""
    if request.wrong_codes >= MOST_WRONG_CODES:
        request.wrong_codes = 0  # all that could be guessed are void
        session.add(request)
    values = {
        "version": request.version, "hash": code_hash, "on_behalf_of": who.on_behalf_of, "people": sorted(who.people),
        "via": who.via, "made_at": utc_now(), "used_at": None,
    }  # fmt: skip
    await session.exec(
        insert(table_of(ApprovalCode))
        .values(request_id=request.id, person_id=who.person_id, **values)
        .on_conflict_do_update(index_elements=["request_id", "person_id"], set_=values)
    )


async def unused(session: AsyncSession, request: ApprovalRequest) -> list[ApprovalCode]:
    """The codes of this version that nobody has used."""
    return [row for row in await _all(session, request) if row.used_at is None]


async def used(session: AsyncSession, request: ApprovalRequest) -> list[ApprovalCode]:
    return [row for row in await _all(session, request) if row.used_at is not None]


async def _all(session: AsyncSession, request: ApprovalRequest) -> list[ApprovalCode]:
    query = select(ApprovalCode).where(ApprovalCode.request_id == request.id, ApprovalCode.version == request.version)
    return list(await session.exec(query))


async def use(session: AsyncSession, request: ApprovalRequest, hashes: Mapping[str, list[str]]) -> Answerer | None:
    """Whoever this code is of, used up; None for a wrong one, which is counted. `hashes` are the typed code's, for each
    person who has one. The request is locked by the caller. Too many wrong ones void all codes; then Conflict (code
    "code_locked") is raised until one is made anew."""
    if request.wrong_codes >= MOST_WRONG_CODES:
        raise Conflict("Too many wrong codes were given; have a new one made.", code="code_locked")
    for row in await unused(session, request):
        if any(secrets.compare_digest(row.hash, known) for known in hashes.get(row.person_id, [])):
            row.used_at = utc_now()
            session.add(row)
            return Answerer(row.person_id, frozenset(row.people), row.via, "temporal", row.on_behalf_of)
    request.wrong_codes += 1
    session.add(request)
    if request.wrong_codes >= MOST_WRONG_CODES:
        for row in await unused(session, request):
            await session.delete(row)
    await session.flush()
    return None
