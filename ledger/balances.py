"""Reading the books. Each answer comes from one statement, so from one moment, and waits for no posting."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import InvalidRequest
from core.money import Money
from ledger.chart import Account

_CURRENT: Final = """
SELECT a.id, a.currency, a.side, a.debits_posted + r.debits_posted AS debits_posted,
       a.debits_pending + r.debits_pending AS debits_pending, a.credits_posted + r.credits_posted AS credits_posted,
       a.credits_pending + r.credits_pending AS credits_pending
  FROM ledger_accounts a
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(p.debits_posted), 0) AS debits_posted,
           coalesce(sum(p.debits_pending), 0) AS debits_pending,
           coalesce(sum(p.credits_posted), 0) AS credits_posted,
           coalesce(sum(p.credits_pending), 0) AS credits_pending
      FROM ledger_rollups p WHERE a.pool AND p.account_id = a.id) r
"""
_BY_ID: Final = text(_CURRENT + " WHERE a.id = :id")
_LOCK: Final = text("SELECT FROM ledger_accounts WHERE id = :id AND NOT pool FOR NO KEY UPDATE")
_BY_PREFIX: Final = text(_CURRENT + " WHERE starts_with(a.id, :prefix) ORDER BY a.id")

_AS_OF: Final = text("""
SELECT :id AS id, CAST(:currency AS text) AS currency, CAST(:side AS text) AS side,
       coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'debit'), 0) AS debits_posted,
       coalesce(sum(e.pending_minor) FILTER (WHERE e.side = 'debit'), 0) AS debits_pending,
       coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'credit'), 0) AS credits_posted,
       coalesce(sum(e.pending_minor) FILTER (WHERE e.side = 'credit'), 0) AS credits_pending
  FROM ledger_entries e
 WHERE e.account_id = :id AND CASE :clock WHEN 'created' THEN e.created_at ELSE e.happened_at END <= :as_of
""")

_ENTRIES: Final = text("""
SELECT e.id, e.transfer_id, t.key, t.kind, t.reason, t.group_key, t.workflow_id, t.note, t.currency, e.side, a.side AS normal,
       e.posted_minor, e.pending_minor, e.balance_before, e.balance_after, e.held_before, e.held_after, e.version,
       CASE e.side WHEN 'debit' THEN t.credit_id ELSE t.debit_id END AS counterpart, e.happened_at, e.created_at
  FROM ledger_entries e
  JOIN ledger_transfers t ON t.id = e.transfer_id
  JOIN ledger_accounts a ON a.id = e.account_id
 WHERE e.account_id = :id AND e.id < :before
 ORDER BY e.id DESC LIMIT :limit
""")

_OPEN_HOLDS: Final = text("""
SELECT h.id, h.key, h.debit_id, h.credit_id, h.amount_minor, h.currency, h.reason, h.workflow_id, h.group_key,
       h.held_until, h.created_at
  FROM ledger_transfers h
 WHERE h.kind = 'hold' AND (CAST(:workflow_id AS text) IS NULL OR h.workflow_id = :workflow_id)
   AND NOT EXISTS (SELECT FROM ledger_transfers f WHERE f.target_id = h.id)
 ORDER BY h.id
""")


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has, in the sense of its normal side. `held` is promised away by open holds, `incoming` is
    promised to it and counts for nothing yet; `available` = `posted` − `held`."""

    account_id: str
    currency: str
    posted: Money
    held: Money
    incoming: Money
    debits_posted: Money
    credits_posted: Money

    @property
    def available(self) -> Money:
        return self.posted - self.held


@dataclass(frozen=True, slots=True)
class EntryView:
    """One line of an account's history. `amount` is what was posted to `side` (zero for holds and releases), `held` the
    change of that side's open holds; `change` is what the line did to the balance. The balances are None for pools.
    `id` is the cursor for the next page."""

    id: str
    transfer_id: int
    key: str
    kind: str
    reason: str
    group: str | None
    workflow_id: str | None
    note: str
    side: Literal["debit", "credit"]
    counterpart: str
    amount: Money
    held: Money
    change: Money
    balance_before: Money | None
    balance_after: Money | None
    held_after: Money | None
    version: int | None
    happened_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class HoldView:
    """A hold that is neither captured nor released nor expired."""

    key: str
    transfer_id: int
    debit_id: str
    credit_id: str
    amount: Money
    reason: str
    workflow_id: str
    group: str | None
    held_until: datetime | None
    created_at: datetime


async def balance(
    session: AsyncSession,
    account: Account,
    *,
    as_of: datetime | None = None,
    clock: Literal["created", "happened"] = "created",
) -> Balance:
    """The balance now, or as of a moment by our clock or the provider's. Zero for an account that was never used.

    As of a moment it is summed from the account's lines, so it costs their number. InvalidRequest for a naive `as_of`.
    """
    if as_of is not None and as_of.tzinfo is None:
        raise InvalidRequest("as_of must name its time zone.", field="as_of")
    connection = await session.connection()
    if as_of is None:
        result = await connection.execute(_BY_ID, {"id": account.id})
    else:
        values = {"id": account.id, "currency": account.currency, "side": account.side, "as_of": as_of, "clock": clock}
        result = await connection.execute(_AS_OF, values)
    row = result.mappings().one_or_none()
    if row is not None:
        return _balance(row)
    zero = Money.zero(account.currency)
    return Balance(account.id, account.currency, zero, zero, zero, zero, zero)


async def locked_balance(session: AsyncSession, account: Account) -> Balance:
    """The balance now, which stays so until the transaction ends: postings to the account wait. Lock nothing after it but
    through `post`. Not for a pool, which has no lock."""
    await (await session.connection()).execute(_LOCK, {"id": account.id})
    return await balance(session, account)


async def balances(session: AsyncSession, prefix: str = "") -> list[Balance]:
    """The balances of all accounts whose id starts with `prefix` ("wallet:"), in the order of their ids."""
    connection = await session.connection()
    return [_balance(row) for row in (await connection.execute(_BY_PREFIX, {"prefix": prefix})).mappings()]


async def entries(
    session: AsyncSession, account: Account, *, limit: int = 50, before: str | None = None
) -> list[EntryView]:
    """The account's lines, newest first; `before` is the id of the last line of the page before this one."""
    if before is not None and not (before.isdecimal() and before.isascii() and len(before) <= 19):
        raise InvalidRequest("The cursor is not one of ours.", field="before")
    values = {"id": account.id, "limit": limit, "before": 2**63 - 1 if before is None else min(int(before), 2**63 - 1)}
    connection = await session.connection()
    return [_entry(row) for row in (await connection.execute(_ENTRIES, values)).mappings()]


async def open_holds(session: AsyncSession, *, workflow_id: str | None = None) -> list[HoldView]:
    """The open holds, oldest first: all of them, or those of one saga."""
    connection = await session.connection()
    rows = (await connection.execute(_OPEN_HOLDS, {"workflow_id": workflow_id})).mappings()
    return [
        HoldView(
            key=row["key"],
            transfer_id=row["id"],
            debit_id=row["debit_id"],
            credit_id=row["credit_id"],
            amount=Money(row["amount_minor"], row["currency"]),
            reason=row["reason"],
            workflow_id=row["workflow_id"],
            group=row["group_key"],
            held_until=None if row["held_until"] is None else row["held_until"].astimezone(UTC),
            created_at=row["created_at"].astimezone(UTC),
        )
        for row in rows
    ]


def _balance(row: RowMapping) -> Balance:
    currency = row["currency"]
    # Sums are numeric, since those of a pool may be larger than a bigint.
    names = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    debits, credits, debits_pending, credits_pending = (int(row[name]) for name in names)
    credit_side = row["side"] == "credit"
    return Balance(
        account_id=row["id"],
        currency=currency,
        posted=Money(credits - debits if credit_side else debits - credits, currency),
        held=Money(debits_pending if credit_side else credits_pending, currency),
        incoming=Money(credits_pending if credit_side else debits_pending, currency),
        debits_posted=Money(debits, currency),
        credits_posted=Money(credits, currency),
    )


def _entry(row: RowMapping) -> EntryView:
    currency = row["currency"]

    def money(minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, currency)

    amount = Money(row["posted_minor"], currency)
    return EntryView(
        id=str(row["id"]),
        transfer_id=row["transfer_id"],
        key=row["key"],
        kind=row["kind"],
        reason=row["reason"],
        group=row["group_key"],
        workflow_id=row["workflow_id"],
        note=row["note"],
        side=row["side"],
        counterpart=row["counterpart"],
        amount=amount,
        held=Money(row["pending_minor"], currency),
        change=amount if row["side"] == row["normal"] else Money(-amount.minor, currency),
        balance_before=money(row["balance_before"]),
        balance_after=money(row["balance_after"]),
        held_after=money(row["held_after"]),
        version=row["version"],
        happened_at=row["happened_at"].astimezone(UTC),
        created_at=row["created_at"].astimezone(UTC),
    )
