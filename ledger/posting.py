"""Posting: the one way into the books. A batch is one round trip and all or nothing; see `ledger/sql/0001_post.sql`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final, Literal, cast

import psycopg
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from core.errors import Busy, Conflict, InsufficientFunds, InvalidRequest, KivukoError, LimitExceeded, NotFound
from core.money import Money
from ledger.chart import Account
from ledger.transfers import Capture, Command, Expire, Hold, Post, Release, Reverse

Kind = Literal["post", "hold", "capture", "release", "expire", "reverse"]


@dataclass(frozen=True, slots=True)
class BalanceAfter:
    """What an account held right after a transfer, in the sense of its normal side."""

    account_id: str
    posted: Money
    held: Money

    @property
    def available(self) -> Money:
        return self.posted - self.held


@dataclass(frozen=True, slots=True)
class Posted:
    """One command as it was carried out; `replayed` if that was at an earlier call with the same key.

    `amount` is what was posted, held or given back; None for the release of a hold that never happened. `balances` are
    those of the accounts that are no pools, as they were right after this transfer (at a replay: then, not now).
    """

    key: str
    transfer_id: int
    kind: Kind
    amount: Money | None
    replayed: bool
    created_at: datetime
    balances: tuple[BalanceAfter, ...]

    def balance_of(self, account: Account) -> BalanceAfter:
        """The balance after, of an account of this transfer that is no pool. Raises KeyError for any other."""
        for balance in self.balances:
            if balance.account_id == account.id:
                return balance
        raise KeyError(account.id)


# Straight to the driver of the session's connection, in the session's transaction, and prepared: SQLAlchemy's own statement
# objects cost as much as the rest of the call.
_POST: Final = "SELECT ledger_post_v1(%s::json, %s::json, %s::integer, %s)::text"

# The transaction was chosen as a deadlock's victim, lost a race, or waited too long for a lock or altogether.
_TRY_AGAIN: Final = frozenset({"40001", "40P01", "55P03", "57014"})
_TOO_LARGE: Final = "22003"

_REFUSALS: Final[dict[str, tuple[type[KivukoError], str]]] = {
    "account_differs": (Conflict, "The account exists with another currency, side, floor or kind."),
    "key_reused": (Conflict, "The key was used before with other content."),
    "hold_released": (Conflict, "The hold was released before it came; it is refused from now on."),
    "hold_resolved": (Conflict, "The hold is already captured, released or expired."),
    "hold_not_expired": (Conflict, "The hold's deadline has not passed, or it has none."),
    "already_reversed": (Conflict, "The transfer is already reversed."),
    "not_reversible": (Conflict, "Only a posted transfer or a captured hold can be reversed."),
    "not_a_hold": (Conflict, "The key names a transfer that is not a hold."),
    "currency_differs": (InvalidRequest, "The amount is in another currency than the hold."),
    "capture_too_large": (LimitExceeded, "The capture is larger than the hold."),
    "not_found": (NotFound, "The transfer does not exist."),
    "insufficient_funds": (InsufficientFunds, "The account holds too little."),
}


async def post(session: AsyncSession, *commands: Command) -> list[Posted]:
    """Carries out all commands in their order, or none, in the session's transaction. The caller commits.

    Results come in the order of the commands. A refusal (`Rejected`) leaves the session's transaction usable, with
    nothing of this batch in it; its `extra` names `key`, and `account` where one is to blame. Refusals: Conflict
    (key_reused, hold_released, hold_resolved, hold_not_expired, already_reversed, not_reversible, not_a_hold,
    account_differs), NotFound, LimitExceeded (capture_too_large, amount_too_large), InsufficientFunds (`needed_minor`: what
    the whole batch would take from the account). Busy means that
    nothing happened and the whole transaction must be tried again; the same holds for any error before the commit.
    """
    if not commands:
        return []
    accounts, batch, segments = _request(commands)
    driver = await _driver(session)
    values = (json.dumps(accounts), json.dumps(batch), segments, any("target" in row for row in batch))
    try:
        cursor = await driver.execute(_POST, values, prepare=True)
        (answer,) = await cursor.fetchone() or ("",)
    except psycopg.Error as error:
        if driver.closed:  # the session may not use it again, not even to roll back
            await session.run_sync(_invalidate)
        if driver.closed or error.sqlstate in _TRY_AGAIN:
            raise Busy("The books are busy; nothing was posted.", code="ledger_busy") from error
        if error.sqlstate == _TOO_LARGE:
            raise LimitExceeded("A balance would be too large.", code="amount_too_large") from error
        raise
    result = json.loads(answer)
    if "refused" in result:
        raise _refusal(**result, needed_minor=_taken_from(commands, result.get("account")))
    return _posted(commands, result)


def _invalidate(session: Session) -> None:
    session.connection().invalidate()


async def _driver(session: AsyncSession) -> psycopg.AsyncConnection[tuple[Any, ...]]:
    """The connection on which the session's transaction runs."""

    def of(sync: Session) -> Any:
        return sync.connection().connection.driver_connection

    return cast("psycopg.AsyncConnection[tuple[Any, ...]]", await session.run_sync(of))


def _request(commands: Iterable[Command]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int]:
    """The call's arguments. A new segment starts at a command that depends on one of the current segment."""
    accounts: dict[str, Account] = {}
    batch: list[dict[str, Any]] = []
    segment, keys = 0, set[str]()
    for n, command in enumerate(commands):
        row = _row(command)
        names = {command.key, row["target"]} if "target" in row else {command.key}
        if isinstance(command, Reverse):
            names.add("")  # a hold and its capture are two names for one target: one reversal a segment
        if not keys.isdisjoint(names):
            segment, keys = segment + 1, set()
        keys |= names
        batch.append({"n": n, "s": segment, "content": _content(row), **row})
        if isinstance(command, Post | Hold):
            for account in (command.debit, command.credit):
                if accounts.setdefault(account.id, account) != account:
                    raise _refusal("account_differs", command.key, account.id)
            moment = command.happened_at
            if command.note:
                batch[-1]["note"] = command.note
        else:
            moment = command.happened_at if isinstance(command, Capture) else None
        if moment is not None:
            batch[-1]["at"] = moment.isoformat()
    opened = [
        {"id": a.id, "currency": a.currency, "side": a.side, "floor": a.floor_minor, "pool": a.pool, "hot": a.hot}
        for a in accounts.values()
    ]
    return opened, batch, segment + 1


def _row(command: Command) -> dict[str, Any]:
    """The content of a command: what a second use of its key must repeat. Stored for ever as a digest, so the names and
    spellings here may not change."""
    match command:
        case Post() | Hold():
            row = {
                "key": command.key,
                "kind": "post",
                "debit": command.debit.id,
                "credit": command.credit.id,
                "amount": command.amount.minor,
                "currency": command.amount.currency,
                "reason": command.reason,
            }
            if command.group is not None:
                row["grp"] = command.group
            if isinstance(command, Hold):
                row |= {"kind": "hold", "workflow": command.workflow_id}
                if command.held_until is not None:
                    row["until"] = command.held_until.astimezone(UTC).isoformat()
            return row
        case Capture(key=key, hold_key=target, amount=amount):
            row = {"key": key, "kind": "capture", "target": target}
            return row if amount is None else row | {"amount": amount.minor, "currency": amount.currency}
        case Release(key=key, hold_key=target):
            return {"key": key, "kind": "release", "target": target}
        case Expire(key=key, hold_key=target):
            return {"key": key, "kind": "expire", "target": target}
        case Reverse(key=key, of_key=target, reason=reason):
            return {"key": key, "kind": "reverse", "target": target, "reason": reason}


_SORTED: Final = json.JSONEncoder(sort_keys=True)  # made once: `json.dumps` would make one for every row


def _content(row: dict[str, Any]) -> str:
    return blake2b(_SORTED.encode(row).encode(), digest_size=16).hexdigest()


def _posted(commands: tuple[Command, ...], result: dict[str, Any]) -> list[Posted]:
    balances: dict[int, list[tuple[str, int, int]]] = {}
    for lines in result["lines"]:
        for n, account_id, posted, held in lines:
            balances.setdefault(n, []).append((account_id, posted, held))
    done: dict[int, Posted] = {}
    for rows in result["done"]:
        for n, transfer_id, amount, currency, created_at, replayed in rows:
            done[n] = Posted(
                key=commands[n].key,
                transfer_id=transfer_id,
                kind=_KINDS[type(commands[n])],
                amount=None if currency is None else Money(amount, currency),
                replayed=replayed,
                created_at=datetime.fromisoformat(created_at),
                balances=tuple(
                    BalanceAfter(account_id, Money(posted, currency), Money(held, currency))
                    for account_id, posted, held in balances.get(n, ())
                ),
            )
    return [done[n] for n in range(len(commands))]


_KINDS: Final[dict[type[Command], Kind]] = {
    Post: "post", Hold: "hold", Capture: "capture", Release: "release", Expire: "expire", Reverse: "reverse",
}  # fmt: skip


def _taken_from(commands: Iterable[Command], account_id: str | None) -> int:
    """What the whole batch would take from an account, in its smallest unit."""
    return sum(c.amount.minor for c in commands if isinstance(c, Post | Hold) and c.debit.id == account_id)


def _refusal(refused: str, key: str | None = None, account: str | None = None, needed_minor: int = 0) -> KivukoError:
    kind, detail = _REFUSALS[refused]
    extra = {name: value for name, value in (("key", key), ("account", account)) if value is not None}
    if refused == "currency_differs":
        extra["field"] = "amount"
    if refused == "insufficient_funds" and needed_minor:
        extra["needed_minor"] = str(needed_minor)
    # These two are plain cases of their class and keep its code.
    code = None if refused in ("not_found", "insufficient_funds") else refused
    return kind(detail, code=code, **extra)
