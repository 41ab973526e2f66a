"""The ledger in fifty lines of plain Python, one command after the other: what the real one is compared with."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from ledger.chart import Account
from ledger.transfers import Capture, Command, Expire, Hold, Post, Release, Reverse


class Refused(Exception):
    """`code` as the real ledger's error has it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Done:
    """One transfer of the model; `command` None for the tombstone of a hold that never happened."""

    command: Command | None
    debit: Account | None = None
    credit: Account | None = None
    amount: int = 0
    follow_up: str | None = None


@dataclass
class Model:
    done: dict[str, Done] = field(default_factory=dict)
    balance: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)

    def apply(self, batch: list[Command], now: datetime) -> "tuple[Model, list[bool]]":
        """The model after the batch, and which commands were replays. Raises Refused and stays as it is."""
        after = deepcopy(self)
        return after, [after._one(command, now) for command in batch]

    def _one(self, command: Command, now: datetime) -> bool:
        prior = self.done.get(command.key)
        if prior is not None:
            if prior.command == command:
                return True
            raise Refused("hold_released" if prior.command is None and isinstance(command, Hold) else "key_reused")
        match command:
            case Post(debit=debit, credit=credit, amount=amount):
                self._move(debit, credit, posted=amount.minor)
                self.done[command.key] = Done(command, debit, credit, amount.minor)
            case Hold(debit=debit, credit=credit, amount=amount):
                self._move(debit, credit, pending=amount.minor)
                self.done[command.key] = Done(command, debit, credit, amount.minor)
            case Reverse():
                self._reverse(command)
            case _:
                self._resolve(command, now)
        return False

    def _resolve(self, command: Capture | Release | Expire, now: datetime) -> None:
        target = self.done.get(command.hold_key)
        if target is None:
            if not isinstance(command, Release):
                raise Refused("not_found")
            if command.key == command.hold_key:
                raise Refused("key_reused")
            self.done[command.hold_key] = Done(None, follow_up=command.key)
            self.done[command.key] = Done(command)
            return
        if target.command is not None and not isinstance(target.command, Hold):
            raise Refused("not_a_hold")
        if target.follow_up is not None:
            raise Refused("hold_resolved")
        assert target.debit is not None
        assert target.credit is not None
        assert isinstance(target.command, Hold)
        captured = 0
        if isinstance(command, Capture):
            captured = target.amount if command.amount is None else command.amount.minor
            if captured > target.amount:
                raise Refused("capture_too_large")
        until = target.command.held_until
        if isinstance(command, Expire) and (until is None or until > now):
            raise Refused("hold_not_expired")
        self._move(target.debit, target.credit, posted=captured, pending=-target.amount)
        target.follow_up = command.key
        self.done[command.key] = Done(command, target.debit, target.credit, captured or target.amount)

    def _reverse(self, command: Reverse) -> None:
        target = self.done.get(command.of_key)
        if target is None:
            raise Refused("not_found")
        if isinstance(target.command, Hold) and target.follow_up is not None:
            target = self.done[target.follow_up]
        if not isinstance(target.command, Post | Capture):
            raise Refused("not_reversible")
        if target.follow_up is not None:
            raise Refused("already_reversed")
        assert target.debit is not None
        assert target.credit is not None
        self._move(target.credit, target.debit, posted=target.amount)
        target.follow_up = command.key
        self.done[command.key] = Done(command, target.credit, target.debit, target.amount)

    def _move(self, debit: Account, credit: Account, posted: int = 0, pending: int = 0) -> None:
        for account, side in ((debit, "debit"), (credit, "credit")):
            grows = account.side == side
            balance = self.balance.get(account.id, 0) + (posted if grows else -posted)
            held = self.held.get(account.id, 0) + (0 if grows else pending)
            if account.floor_minor is not None and balance - held < account.floor_minor:
                raise Refused("insufficient_funds")
            self.balance[account.id], self.held[account.id] = balance, held

    def open_holds(self) -> set[str]:
        return {key for key, done in self.done.items() if isinstance(done.command, Hold) and done.follow_up is None}
