"""A claim on something outside (a tenant, a short code, a bank account) goes to another partner only if two people of the
platform say so."""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.dependencies import Services
from api.operations.acts import Act
from models.tables.platform.approval import ApprovalRequest
from store.platform import claims

MOVE: Final = "claims.move"


def subject_of(kind: str, key: str) -> str:
    """What a proposal to move a claim is about, so that one claim has one open proposal."""
    return f"{kind}/{key}"


async def move(session: AsyncSession, services: Services, request: ApprovalRequest) -> None:
    """Raises what `store/platform/claims.py: move` does."""
    wanted = request.content
    await claims.move(session, wanted["kind"], wanted["key"], wanted["to_partner_id"], by=request.requested_via)


ACTS: Final = (
    Act(
        MOVE, "A tenant, short code or bank account goes from one partner to another.", "admin",
        carry_out=move, house_only=True,
    ),
)  # fmt: skip
