"""What a small installation sets: acts that one person does alone."""

from store.database import Database
from store.platform import approval_policies


async def alone(database: Database, act: str) -> None:
    """From now on nobody else is asked."""
    async with database.transaction() as session:
        await approval_policies.put(
            session, act=act, currency="", from_minor=0, approvers=0, remind_after=[], escalate_after=172_800,
            expire_after=604_800,
        )  # fmt: skip
