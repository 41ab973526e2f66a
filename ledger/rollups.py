"""Rolling up pools: their tail of one row per posting is folded into one row, so that reading a balance stays cheap."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.chart import Account

# Only roll-ups take this lock, so that two of them do not delete the same rows in different orders.
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(hashtext('kivuko:ledger:rollup'))")

_ROLL_UP: Final = text("""
WITH worth AS (
    SELECT r.account_id FROM ledger_rollups r
     WHERE CAST(:id AS text) IS NULL OR r.account_id = :id
     GROUP BY r.account_id
    HAVING count(*) > 1
       -- a row holds bigints: a pool whose sums have outgrown them keeps its tail, which is still read right
       AND greatest(sum(r.debits_posted), sum(r.debits_pending), sum(r.credits_posted), sum(r.credits_pending))
           <= 9223372036854775807
), gone AS (
    DELETE FROM ledger_rollups r USING worth w WHERE r.account_id = w.account_id RETURNING r.*
), rolled AS (
    INSERT INTO ledger_rollups (account_id, debits_posted, debits_pending, credits_posted, credits_pending, lines)
    SELECT g.account_id, sum(g.debits_posted), sum(g.debits_pending), sum(g.credits_posted), sum(g.credits_pending),
           sum(g.lines)
      FROM gone g GROUP BY g.account_id
)
SELECT count(*) FROM gone
""")


async def roll_up(session: AsyncSession, account: Account | None = None) -> int:
    """Folds the tail of one pool, or of all, and says how many rows were folded. Safe while others post: only committed
    rows are seen and deleted, a posting in flight keeps its row for the next time."""
    connection = await session.connection()
    await connection.execute(_ONE_AT_A_TIME)
    folded = await connection.execute(_ROLL_UP, {"id": None if account is None else account.id})
    return int(folded.scalar_one())
