"""Who may confirm with one-time codes: somebody new is announced to those there are, and waits for a second person.

Otherwise one key could add its own phone, and confirm with it the purchase that it makes.
"""

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from api.http.dependencies import Services
from api.operations.acts import Act
from core.errors import Conflict
from models.tables.platform.approval import ApprovalRequest
from models.tables.platform.contact import Contact
from notices.outbox import notify_partner
from store.platform import partner_admin, partners

AUTHORISE: Final = "contacts.authorise"


async def announce(session: AsyncSession, row: Contact) -> None:
    """To everybody whom we tell things at the partner, except the new one: somebody may know better."""
    partner = await partners.get(session, row.partner_id)
    await notify_partner(
        session, "contact_proposed", key=f"contact/{row.id}:proposed",
        contacts=await partners.contacts(session, row.partner_id), partner_id=row.partner_id, workflow_id=None,
        facts={"name": row.name, "partner_name": partner.name},
    )  # fmt: skip


async def authorise(session: AsyncSession, services: Services, request: ApprovalRequest) -> None:
    """The contact counts from now on. Raises Conflict (code "superseded") if it was removed meanwhile."""
    row = await _proposed(session, request)
    if row is None:
        raise Conflict("The contact was removed meanwhile.", code="superseded")
    row.state = "active"
    session.add(row)
    await session.flush()


async def forget(session: AsyncSession, request: ApprovalRequest) -> None:
    """Nobody agreed: the contact goes, so that the same may be proposed again."""
    row = await _proposed(session, request)
    if row is not None:
        await session.delete(row)
        await session.flush()


async def _proposed(session: AsyncSession, request: ApprovalRequest) -> Contact | None:
    assert request.partner_id is not None
    row = await partner_admin.contact(session, request.partner_id, request.subject)
    return row if row is not None and row.state == "proposed" else None


ACTS: Final = (
    Act(
        AUTHORISE, "A contact may confirm float purchases with one-time codes.", "partners:write",
        carry_out=authorise, drop=forget,
    ),
)  # fmt: skip
