"""Where the money of one payment is, read from what was sent, what came in and how it ended; never guessed."""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

from models.kinds import SagaKind
from models.statuses import COMPLETED

# `sender`: still where it was. `unknown`: it may have moved, and nobody has said. `on_the_way`: a part of it, or one of its
# movements, is known to have been made. `receiver`: it has arrived.
Position = Literal["sender", "unknown", "on_the_way", "receiver"]

_DOUBTFUL: Final = frozenset({"sending", "accepted", "asked", "unknown"})
# What follows once the client has been paid.
_AFTER_PAYOUT: Final = frozenset({"posting", "post_review", "settling"})


class Movement(Protocol):
    """An attempt to pay, or a prompt."""

    state: str


class Facts(Protocol):
    """What a row says of it."""

    @property
    def stage(self) -> str: ...
    @property
    def ended_at(self) -> object | None: ...


def position_of(kind: SagaKind, row: Facts, movements: Sequence[Movement], *, arrived: bool = False) -> Position:
    """`movements` in the order of their making; `arrived`: a payment that came in is this saga's."""
    states = [movement.state for movement in movements]
    if row.stage in COMPLETED:
        return "receiver"
    if any(state in _DOUBTFUL for state in states):
        return "unknown"
    if row.ended_at is not None:
        return "sender"  # refused, withdrawn, given back: what had moved is back
    if kind.money == "in":
        return "receiver" if arrived or "paid" in states else "sender"
    if "paid" not in states:
        return "sender"
    return "receiver" if row.stage in _AFTER_PAYOUT else "on_the_way"
