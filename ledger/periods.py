"""What accounts did in a period: opening, in, out, closing, and with whom. Bounded by the lines since the period began."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core.money import Money
from ledger.chart import Account

# What is posted now, less what came later: a pool keeps no balance by its lines, and none is summed from its beginning.
_PERIODS: Final = text("""
WITH lines AS (
    SELECT e.account_id,
           coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'debit' AND e.created_at < :until), 0) AS debits,
           coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'credit' AND e.created_at < :until), 0) AS credits,
           coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'debit' AND e.created_at >= :until), 0) AS later_debits,
           coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'credit' AND e.created_at >= :until), 0) AS later_credits
      FROM ledger_entries e
     WHERE e.created_at >= :since AND starts_with(e.account_id, :prefix)
     GROUP BY e.account_id
), now AS (
    SELECT a.id, a.currency, a.side,
           a.debits_posted + coalesce(sum(p.debits_posted), 0) AS debits,
           a.credits_posted + coalesce(sum(p.credits_posted), 0) AS credits
      FROM ledger_accounts a LEFT JOIN ledger_rollups p ON a.pool AND p.account_id = a.id
     WHERE starts_with(a.id, :prefix)
     GROUP BY a.id
)
SELECT n.id, n.currency, n.side, coalesce(l.debits, 0) AS debits, coalesce(l.credits, 0) AS credits,
       n.debits - coalesce(l.later_debits, 0) AS debits_at_end, n.credits - coalesce(l.later_credits, 0) AS credits_at_end
  FROM now n LEFT JOIN lines l ON l.account_id = n.id
 ORDER BY n.id
""")

_MOVEMENTS: Final = text("""
SELECT e.account_id, a.currency, CASE WHEN e.side = a.side THEN 'in' ELSE 'out' END AS direction,
       CASE e.side WHEN 'debit' THEN t.credit_id ELSE t.debit_id END AS counterpart,
       count(*) AS number, sum(e.posted_minor) AS amount
  FROM ledger_entries e
  JOIN ledger_transfers t ON t.id = e.transfer_id
  JOIN ledger_accounts a ON a.id = e.account_id
 WHERE e.created_at >= :since AND e.created_at < :until AND e.posted_minor > 0 AND starts_with(e.account_id, :prefix)
 GROUP BY 1, 2, 3, 4
 ORDER BY 1, 3, 4
""")


# A line of an event after `until` was written after it, give or take how far a provider's clock is ahead of ours.
_BY_THEN: Final = text("""
SELECT a.side, a.debits_posted + coalesce(p.debits, 0) - coalesce(l.debits, 0) AS debits,
       a.credits_posted + coalesce(p.credits, 0) - coalesce(l.credits, 0) AS credits
  FROM ledger_accounts a
 CROSS JOIN LATERAL (
    SELECT sum(r.debits_posted) AS debits, sum(r.credits_posted) AS credits
      FROM ledger_rollups r WHERE a.pool AND r.account_id = a.id) p
 CROSS JOIN LATERAL (
    SELECT sum(e.posted_minor) FILTER (WHERE e.side = 'debit') AS debits,
           sum(e.posted_minor) FILTER (WHERE e.side = 'credit') AS credits
      FROM ledger_entries e
     WHERE e.account_id = a.id AND e.created_at >= CAST(:until AS timestamptz) - interval '1 day'
       AND e.happened_at >= :until) l
 WHERE a.id = :id
""")


@dataclass(frozen=True, slots=True)
class AccountPeriod:
    """In the sense of the account's normal side: `closing` = `opening` + `came` − `went`. Holds count for nothing."""

    account_id: str
    opening: Money
    came: Money
    went: Money
    closing: Money


@dataclass(frozen=True, slots=True)
class Movements:
    """All that was posted between an account and one other in one direction."""

    account_id: str
    direction: Literal["in", "out"]
    counterpart: str
    number: int
    amount: Money


async def account_periods(
    session: AsyncSession, since: datetime, until: datetime, prefix: str = ""
) -> list[AccountPeriod]:
    """Every account whose id starts with `prefix`, by id, over `since <= t < until` of our own clock."""
    values = {"since": since, "until": until, "prefix": prefix}
    rows = (await (await session.connection()).execute(_PERIODS, values)).mappings()
    return [
        _period(
            row["id"], row["currency"], row["side"] == "credit", int(row["debits"]), int(row["credits"]),
            int(row["debits_at_end"]), int(row["credits_at_end"]),
        )
        for row in rows
    ]  # fmt: skip


async def movements(session: AsyncSession, since: datetime, until: datetime, prefix: str = "") -> list[Movements]:
    """What those accounts exchanged with others in the same period."""
    values = {"since": since, "until": until, "prefix": prefix}
    rows = (await (await session.connection()).execute(_MOVEMENTS, values)).mappings()
    return [
        Movements(
            account_id=row["account_id"],
            direction=row["direction"],
            counterpart=row["counterpart"],
            number=row["number"],
            amount=Money(int(row["amount"]), row["currency"]),
        )
        for row in rows
    ]


async def balance_by(session: AsyncSession, account: Account, until: datetime) -> Money:
    """What was posted of all that had happened before `until` by the providers' clocks."""
    row = (await (await session.connection()).execute(_BY_THEN, {"id": account.id, "until": until})).mappings().first()
    if row is None:
        return Money.zero(account.currency)
    debits, credits = int(row["debits"]), int(row["credits"])
    return Money(credits - debits if row["side"] == "credit" else debits - credits, account.currency)


def _period(
    account_id: str,
    currency: str,
    credit_side: bool,
    debits: int,
    credits: int,
    debits_at_end: int,
    credits_at_end: int,
) -> AccountPeriod:
    came, went = (credits, debits) if credit_side else (debits, credits)
    closing = credits_at_end - debits_at_end if credit_side else debits_at_end - credits_at_end
    return AccountPeriod(
        account_id=account_id,
        opening=Money(closing - came + went, currency),
        came=Money(came, currency),
        went=Money(went, currency),
        closing=Money(closing, currency),
    )
