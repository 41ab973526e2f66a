"""What an error of a send says of the instruction, and of the connection that it went over."""

from core.errors import KivukoError, Rejected, Transient
from notices import blocked
from store.database import Database
from store.platform import partner_admin


def state_after(error: KivukoError) -> str:
    """The row's state: it did not leave, it was refused, or nobody knows."""
    return "not_sent" if isinstance(error, Transient) else "failed" if isinstance(error, Rejected) else "unknown"


def needs_operator(error: KivukoError) -> bool:
    """Whether further sends over this connection fail too until a person has mended it."""
    return error.extra.get("operator_needed") == "yes"


async def block_if_needed(database: Database, partner_id: str, provider: str, error: KivukoError) -> None:
    """Blocks the connection, once: one stale password fails, then locks, a whole batch (SCARS)."""
    if not needs_operator(error):
        return
    async with database.transaction() as session:
        connection = await partner_admin.find_connection(session, partner_id, provider)
        if connection is not None:
            await blocked.block(session, connection, error.detail)
