"""What must always be true of the books, looked up and not assumed. Tests ask after every step, a sweep every night.

One statement, so one moment; it reads every line, so it belongs on a quiet hour or a replica.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: its name, the account, transfer key or currency that it is about, and the numbers."""

    rule: str
    subject: str
    detail: str


async def violations(session: AsyncSession) -> list[Violation]:
    """Empty when the books balance."""
    connection = await session.connection()
    rows = await connection.execute(_query())
    return [Violation(rule, subject, detail) for rule, subject, detail in rows]


@cache
def _query() -> TextClause:
    return text((files("ledger") / "sql" / "violations.sql").read_text(encoding="utf-8"))
