"""A claim on something outside (a tenant, a short code, a bank account) goes to another partner only if two people of the
platform say so."""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.dependencies import Services
from models.tables.platform.proposal import Proposal
from store.platform import claims

MOVE: Final = "claims.move"


def subject_of(kind: str, key: str) -> str:
    """What a proposal to move a claim is about, so that one claim has one open proposal."""
    return f"{kind}/{key}"


async def move(session: AsyncSession, services: Services, proposal: Proposal) -> None:
    """Raises what `store/platform/claims.py: move` does."""
    wanted = proposal.content
    await claims.move(session, wanted["kind"], wanted["key"], wanted["to_partner_id"], by=proposal.proposed_by_key)
