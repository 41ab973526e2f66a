"""The books. Only `ledger/` writes here, through one server-side function (`ledger/sql/0001_post.sql`).

Lines and transfers do not reference accounts by a foreign key on purpose: its check would take a row lock on the pool's
row in every transfer, which is the contention that pools exist to avoid. Accounts can not be deleted, the function is the
only writer, and `ledger/invariants.py` looks for orphans.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Identity, Index, Text, Uuid, func, text
from sqlmodel import Field, SQLModel

from models.tables import base
from models.tables.base import UtcDateTime

assert base  # the naming convention is set on import, before any table is made


class LedgerAccount(SQLModel, table=True):
    """One account. A pool's row holds no balances (they would need its lock): see `LedgerRollup`."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        CheckConstraint("side IN ('debit', 'credit')", name="side"),
        CheckConstraint("NOT pool OR (floor_minor IS NULL AND NOT hot AND version = 0)", name="pool"),
        CheckConstraint(
            "debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0",
            name="not_negative",
        ),
        CheckConstraint(
            "version = 0 OR floor_minor <= CASE side WHEN 'credit' THEN credits_posted - debits_posted - debits_pending"
            " ELSE debits_posted - credits_posted - credits_pending END",
            name="floor",
        ),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    currency: str = Field(sa_type=Text)
    side: str = Field(sa_type=Text)
    floor_minor: int | None = Field(default=None, sa_type=BigInteger)
    pool: bool
    hot: bool = False
    version: int = Field(default=0, sa_type=BigInteger)
    debits_posted: int = Field(default=0, sa_type=BigInteger)
    debits_pending: int = Field(default=0, sa_type=BigInteger)
    credits_posted: int = Field(default=0, sa_type=BigInteger)
    credits_pending: int = Field(default=0, sa_type=BigInteger)
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, server_default=func.clock_timestamp()))


class LedgerTransfer(SQLModel, table=True):
    """One command that was carried out. Append-only.

    `target_id` is what it follows up: the hold that a capture, release or expiry resolves, the transfer that a reversal
    mirrors. It is unique, and that alone decides which of two simultaneous resolutions wins. A `void` is the tombstone
    of a hold that was released before it happened: it occupies the hold's key.
    """

    __tablename__ = "ledger_transfers"
    __table_args__ = (
        CheckConstraint("kind IN ('post', 'hold', 'capture', 'release', 'expire', 'reverse', 'void')", name="kind"),
        CheckConstraint(
            "(amount_minor > 0 AND currency IS NOT NULL AND debit_id <> credit_id) IS TRUE"
            " OR (kind IN ('void', 'release') AND amount_minor = 0"
            " AND num_nonnulls(currency, debit_id, credit_id) = 0)",
            name="movement",
        ),
        CheckConstraint("(target_id IS NULL) = (kind IN ('post', 'hold', 'void'))", name="target"),
        Index("uq_ledger_transfers_key", "key", unique=True),
        Index(
            "uq_ledger_transfers_target_id", "target_id", unique=True, postgresql_where=text("target_id IS NOT NULL")
        ),
        Index("ix_ledger_transfers_group_key", "group_key", postgresql_where=text("group_key IS NOT NULL")),
        Index("ix_ledger_transfers_holds", "workflow_id", postgresql_where=text("kind = 'hold'")),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    key: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    content: UUID = Field(sa_type=Uuid)
    debit_id: str | None = Field(default=None, sa_type=Text)
    credit_id: str | None = Field(default=None, sa_type=Text)
    amount_minor: int = Field(sa_type=BigInteger)
    currency: str | None = Field(default=None, sa_type=Text)
    reason: str = Field(sa_type=Text)
    workflow_id: str | None = Field(default=None, sa_type=Text)
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    target_id: int | None = Field(
        default=None, sa_column=Column(BigInteger, ForeignKey("ledger_transfers.id"), nullable=True)
    )
    group_key: str | None = Field(default=None, sa_type=Text)
    note: str = Field(default="", sa_type=Text)
    happened_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class LedgerEntry(SQLModel, table=True):
    """One line in one account: the debit side of transfer n is entry 2n, its credit side 2n + 1. Append-only.

    `posted_minor` was posted to `side`; `pending_minor` is the change of that side's open holds. Balance (in the sense
    of the account's normal side), held amount and version are null for pools, which have no order to keep them in.
    """

    __tablename__ = "ledger_entries"
    # PostgreSQL parses a table's checks anew in every insert, so the rest is looked up by `ledger/invariants.py`.
    __table_args__ = (
        CheckConstraint("posted_minor >= 0", name="posted"),
        # Lines are appended as time goes: reports of a period read its pages alone.
        Index("ix_ledger_entries_created_at", "created_at", postgresql_using="brin"),
    )

    account_id: str = Field(sa_column=Column(Text, primary_key=True))
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    transfer_id: int = Field(sa_type=BigInteger)
    side: str = Field(sa_type=Text)
    posted_minor: int = Field(sa_type=BigInteger)
    pending_minor: int = Field(sa_type=BigInteger)
    version: int | None = Field(default=None, sa_type=BigInteger)
    balance_before: int | None = Field(default=None, sa_type=BigInteger)
    balance_after: int | None = Field(default=None, sa_type=BigInteger)
    held_before: int | None = Field(default=None, sa_type=BigInteger)
    held_after: int | None = Field(default=None, sa_type=BigInteger)
    happened_at: datetime = Field(sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class LedgerRollup(SQLModel, table=True):
    """A pool's balance in pieces that are summed: one row for each posting since the last roll-up, and the roll-up itself.

    Posting only inserts, a roll-up deletes the rows that it sees and inserts their sum. What it does not see yet (a
    posting in flight) stays for the next one, so neither waits for the other.
    """

    __tablename__ = "ledger_rollups"
    __table_args__ = (Index("ix_ledger_rollups_account_id", "account_id"),)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    account_id: str = Field(sa_type=Text)
    debits_posted: int = Field(sa_type=BigInteger)
    debits_pending: int = Field(sa_type=BigInteger)
    credits_posted: int = Field(sa_type=BigInteger)
    credits_pending: int = Field(sa_type=BigInteger)
    lines: int = Field(sa_type=BigInteger)
