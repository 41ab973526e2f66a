"""A connection whose credentials its provider refuses: blocked once, told once, one case, whatever else fails on it."""

from datetime import datetime

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from models import providers
from models.tables.platform.connection import Connection
from notices.outbox import notify_partner
from store.platform import partner_admin, partners
from store.saga import cases

log = structlog.get_logger()


async def block(session: AsyncSession, connection: Connection, detail: str, *, sent_at: datetime | None = None) -> bool:
    """True if this blocked it; False if it was blocked before, or if the call that failed was made (`sent_at`) before the
    credentials were last changed. Nothing more is sent until somebody mends it; what waits goes on by itself then."""
    if not await partner_admin.block(session, connection.id, detail, sent_at=sent_at):
        return False
    log.warning("connection_blocked", partner_id=connection.partner_id, provider=connection.provider)
    name = providers.named(connection.provider).word
    await cases.open_case(
        session,
        key=case_key(connection),
        kind="connection_blocked",
        summary=f"The {name} connection is blocked: {detail}"[:500],
        evidence={"provider": connection.provider, "version": str(connection.version), "said": detail[:300]},
        partner_id=connection.partner_id,
    )
    await notify_partner(
        session,
        "connection_blocked",
        key=f"blocked:{connection.id}:{connection.version}",
        contacts=await partners.contacts(session, connection.partner_id),
        partner_id=connection.partner_id,
        workflow_id=None,
        facts={"provider": name},
    )
    return True


def case_key(connection: Connection) -> str:
    """The one open case about a blocked connection."""
    return f"blocked:{connection.id}"


async def lifted(session: AsyncSession, connection: Connection) -> None:
    """Working credentials were given: its case is closed."""
    await cases.close_of_key(session, case_key(connection), by="saga", resolution="working credentials were given")
