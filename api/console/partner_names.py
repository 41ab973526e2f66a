"""Whose payment it is, by name, for people of the house; a lender's own people see nobody else's."""

from typing import Final

from api.console.visitors import Visitor
from api.http.dependencies import Services
from store.platform import partner_admin

_MOST: Final = 500


async def partners_shown(services: Services, visitor: Visitor) -> dict[str, str]:
    """Names by id, of the newest lenders; empty for a lender's own people."""
    if not visitor.principal.is_of_house:
        return {}
    async with services.database.transaction() as session:
        rows = await partner_admin.page(session, only=None, before=None, limit=_MOST)
    return {row.id: row.name for row in sorted(rows, key=lambda row: row.name.casefold())}
