"""What a saga has booked: its transfers, with those that resolved its holds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from core.money import Money

_OF_SAGA: Final = text("""
WITH mine AS (
    SELECT id FROM ledger_transfers WHERE group_key = :workflow_id
    UNION SELECT id FROM ledger_transfers WHERE kind = 'hold' AND workflow_id = :workflow_id
)
SELECT t.id, t.kind, coalesce(t.debit_id, h.debit_id) AS debit_id, coalesce(t.credit_id, h.credit_id) AS credit_id,
       CASE WHEN t.amount_minor = 0 THEN h.amount_minor ELSE t.amount_minor END AS amount_minor,
       coalesce(t.currency, h.currency) AS currency, t.reason, t.note, t.happened_at
  FROM ledger_transfers t LEFT JOIN ledger_transfers h ON h.id = t.target_id
 WHERE t.id IN (SELECT id FROM mine) OR t.target_id IN (SELECT id FROM mine)
 ORDER BY t.id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Booking:
    """One transfer. `amount` is None for the tombstone of a hold that never was; a release names its hold's amount."""

    transfer_id: int
    kind: str
    debit_id: str | None
    credit_id: str | None
    amount: Money | None
    reason: str
    note: str
    happened_at: datetime


async def of_saga(session: AsyncSession, workflow_id: str, *, limit: int = 200) -> list[Booking]:
    """Oldest first."""
    rows = (
        await (await session.connection()).execute(_OF_SAGA, {"workflow_id": workflow_id, "limit": limit})
    ).mappings()
    return [
        Booking(
            transfer_id=row["id"],
            kind=row["kind"],
            debit_id=row["debit_id"],
            credit_id=row["credit_id"],
            amount=Money(row["amount_minor"], row["currency"]) if row["currency"] and row["amount_minor"] else None,
            reason=row["reason"],
            note=row["note"],
            happened_at=row["happened_at"].astimezone(UTC),
        )
        for row in rows
    ]
